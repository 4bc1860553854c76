// Package arch holds the rules about the shape of the source: who may import
// whom, where system calls are made, what has a comment, how long a file is.
// It is a test; each exception stands in a table here, with its reason.
//
// A rule is a function from a tree to its faults, so that it can be shown a
// small tree that breaks it.
package arch
