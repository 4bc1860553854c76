// SPDX-License-Identifier: Apache-2.0

// Package program defines the language in which the runtime tells the child what
// to do: a launch program is a flat list of operations, and each operation has a
// Go type.
//
// The types are in ops_*.go, with all that the runtime knows about an operation:
// its operands, how they are encoded, and the error message for its failure. The
// functions that carry out the operations are in libcontainer/child/src; program.h
// there is generated from this package and defines the numbers that both sides
// share.
//
// To add an operation: write its type here and add it to the list in kinds.go, run
// `go generate ./libcontainer/child`, write its function in child/src, and add the
// operation to a program where it is needed (launch, rootfs, cred ...).
package program
