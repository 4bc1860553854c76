// SPDX-License-Identifier: Apache-2.0

// Package bpf defines the form of a filter program, on which the compiler and the cache
// must agree, and the words of a profile.
package bpf

import (
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"
)

// The kernel's limit of a program's instructions (BPF_MAXINSNS), the size of struct
// sock_filter in bytes, and the resulting maximum size of a program in bytes.
const (
	MaxInsns = 4096
	InsnSize = 8
	MaxSize  = MaxInsns * InsnSize
)

// Return is the opcode of an instruction that returns a constant.
const Return = unix.BPF_RET | unix.BPF_K

// Filter is a compiled profile.
type Filter struct {
	Program []byte   // array of struct sock_filter in the host's byte order
	Notes   []string // warnings of one line each, with a JSON path
}

// MaxNotes is the maximum number of notes, and maxText the maximum size in bytes of all
// of them.
const (
	MaxNotes = 16
	maxText  = 8 << 10
)

// The encoded form is the size of the program in 4 bytes of the host's byte order, the
// program, and the notes as lines.
const (
	sizeSize   = 4
	MaxEncoded = sizeSize + MaxSize + maxText
)

// Encode returns the encoded form of f.
func (f Filter) Encode() []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(len(f.Program)))
	b = append(b, f.Program...)
	return append(b, strings.Join(f.Notes, "\n")...)
}

// Decode is the reverse of Encode; ok is false if b cannot be an encoded filter.
func Decode(b []byte) (f Filter, ok bool) {
	if len(b) < sizeSize || len(b) > MaxEncoded {
		return f, false
	}
	size, rest := binary.NativeEndian.Uint32(b), b[sizeSize:]
	if uint64(size) > uint64(len(rest)) || !Plausible(rest[:size]) {
		return f, false
	}
	f.Program = rest[:size]
	if text := string(rest[size:]); text != "" {
		f.Notes = strings.Split(text, "\n")
	}
	return f, true
}

// Plausible reports whether prog can be a complete program: 8-byte instructions, no
// more than the kernel accepts, the last of which returns a constant.
func Plausible(prog []byte) bool {
	n := len(prog)
	if n == 0 || n%InsnSize != 0 || n > MaxSize {
		return false
	}
	return binary.NativeEndian.Uint16(prog[n-InsnSize:]) == Return
}
