// SPDX-License-Identifier: Apache-2.0

// Package arch tests the rules about the structure of the source: which package may
// import which, where system calls are made, what needs a comment, how long a file may
// be. Each exception is in a table here, with its reason.
//
// A rule is a function that returns the faults of a tree, so that it can also be tested
// with a small tree that breaks it.
package arch
