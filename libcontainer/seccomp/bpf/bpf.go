// Package bpf has the shape of a filter program, which those who write one and
// those who keep one must agree on.
package bpf

import (
	"encoding/binary"
	"strings"

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

// Filter is what is made of a profile.
type Filter struct {
	Program []byte   // array of struct sock_filter in the host's byte order
	Notes   []string // lines: what to warn of, with its JSON path
}

// MaxNotes is the number of notes that are kept, and maxText the size in bytes
// that all of them may have.
const (
	MaxNotes = 16
	maxText  = 8 << 10
)

// The encoded form is the size of the program in 4 bytes, the program, and the
// notes as lines.
const (
	sizeSize   = 4
	MaxEncoded = sizeSize + MaxSize + maxText
)

// Encode writes f in one piece.
func (f Filter) Encode() []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(len(f.Program)))
	b = append(b, f.Program...)
	return append(b, strings.Join(f.Notes, "\n")...)
}

// Decode reads what Encode has written; ok is false if it cannot be that.
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

// Plausible reports whether prog can be a whole program: instructions of 8
// bytes, no more than the kernel takes, the last of which returns.
func Plausible(prog []byte) bool {
	n := len(prog)
	if n == 0 || n%InsnSize != 0 || n > MaxSize {
		return false
	}
	return binary.NativeEndian.Uint16(prog[n-InsnSize:]) == Return
}
