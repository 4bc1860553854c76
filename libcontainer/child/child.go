// Package child holds the interpreter that becomes the user's process: a small
// static C program without a C library, embedded in the runtime.
//
// It is built by build.sh, which `make` and `go generate` run, and embedded
// where the build has the tag cparts. Without it Binary is empty.
package child

//go:generate go run ./gen src/program.h
//go:generate sh build.sh child.bin

// MaxSize bounds the interpreter: it is copied for every launch, and counts
// against the container's memory limit.
const MaxSize = 64 << 10
