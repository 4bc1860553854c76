// SPDX-License-Identifier: Apache-2.0

// Package child contains the interpreter that becomes the user's process: a small
// static C program without a C library, embedded in the runtime.
//
// build.sh builds it, which `make` and `go generate` run. It is embedded if the
// build has the tag cparts; otherwise Binary is empty.
package child

//go:generate go run ./gen src/program.h
//go:generate sh build.sh child.bin

// MaxSize limits the size of the interpreter, in bytes: it is copied for every
// launch, and counts against the container's memory limit.
const MaxSize = 64 << 10
