// SPDX-License-Identifier: Apache-2.0

// Mutants checks whether the unit tests detect faults. Each file in list/ describes one
// fault, a change of a line or two of the source. The tests of one package, run by an
// ordinary user, must fail with it. So tests that check nothing are noticed.
//
//	go run ./tests/mutants                    # all of them
//	go run ./tests/mutants 'cred-*' wire-turn # some
//
// It exits with 1 if a mutant survives, no longer applies (its text in the source has
// changed: change its file, too), or does not compile. The source tree is not changed:
// the changed file is in an overlay (go help build). If root runs it, the tests run with
// the ids of nobody and no capabilities.
//
// A file says in words what the fault is, then names the file to change and, if it is not
// the package of that file, the package to test; then it has the old and the new text, in
// whole lines:
//
//	The capabilities are dropped before the ids change, which takes them.
//	file: libcontainer/cred/cred.go
//	test: ./libcontainer/cred
//	-- old --
//		first()
//		second()
//	-- new --
//		second()
//		first()
//
// The old text must be in the file exactly once. If the new text is empty, the old text
// is deleted.
package main
