// Package bpf has the shape of a filter program, which those who write one and
// those who keep one must agree on.
package bpf

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// The kernel's limit of a program's length (BPF_MAXINSNS), and the size of
// struct sock_filter.
const (
	MaxInsns = 4096
	InsnSize = 8
	MaxSize  = MaxInsns * InsnSize
)

// Return is the opcode of a return with a constant.
const Return = unix.BPF_RET | unix.BPF_K

// Plausible reports whether prog can be a whole program: instructions of 8
// bytes, no more than the kernel takes, the last of which returns.
func Plausible(prog []byte) bool {
	n := len(prog)
	if n == 0 || n%InsnSize != 0 || n > MaxSize {
		return false
	}
	return binary.NativeEndian.Uint16(prog[n-InsnSize:]) == Return
}
