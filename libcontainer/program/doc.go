// Package program is the language between the runtime and the child: a launch
// program is a flat list of operations, and each operation has a Go type.
//
// The type of an operation stands in ops_*.go, and with it all that the runtime
// knows of it: what its operands are, how they are encoded, and the words of its
// failure. libcontainer/child/src has the function that carries it out, and
// program.h there, which is generated from this package, the numbers that both
// sides share.
//
// To add an operation: write its type here and add it to the list in kinds.go, run
// `go generate ./libcontainer/child`, write its function in child/src, and have a
// maker (launch, rootfs, cred ...) add it to a program.
package program
