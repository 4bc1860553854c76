// Mutants tries whether the unit tests find faults. Each file of list/ is one: a
// change of a line or two of the source, which the tests of one package have to
// fail for, run by an ordinary user. So a test that holds nothing is seen.
//
//	go run ./tests/mutants                    # all of them
//	go run ./tests/mutants 'cred-*' wire-turn # some
//
// It exits with 1 if one survives, no longer applies (its text in the source has
// changed: change its file, too), or does not compile. The tree itself stays as it
// is: the changed file is in an overlay (go help build). Run by root, the tests
// have the ids of nobody, and no capability.
//
// A file says in words what the fault stands for, names the file to change and, if
// that is another one than the file's own, the package to test; then the old and
// the new text, in whole lines:
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
// The old text stands in the file once. A new text that is empty leaves it out.
package main
