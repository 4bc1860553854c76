// Package child holds the interpreter that becomes the user's process: a small
// static C program without a C library, embedded in the runtime.
//
// It is built by build.sh, which `make` and `go generate` run.
package child

import _ "embed"

//go:generate go run ./gen src/program.h
//go:generate sh build.sh child.bin

// Binary is the interpreter, an executable for this machine.
//
//go:embed child.bin
var Binary []byte

// MaxSize bounds the interpreter: it is copied for every launch, and counts
// against the container's memory limit.
const MaxSize = 64 << 10
