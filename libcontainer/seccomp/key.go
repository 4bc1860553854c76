// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"runtime"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// formatVersion is part of each key. Increment it with every change of this package
// that changes the file of a program.
const formatVersion = 3

// key identifies a program in the cache: it is everything that determines the program. An
// entry has it in full, and is used only for the same one. A hash in its place would have
// to be a strong one, since a profile that was made to collide with another container's
// would weaken that container's filter; to link one makes each start slower.
type key []byte

func keyOf(p *specs.LinuxSeccomp) key { return canonical(p) }

// file returns the name of the key's entry. Two keys with the same name replace each
// other's entry, and nothing else.
func (k key) file() string { return fmt.Sprintf("%016x", sum(k)) + suffix }

// sum returns a checksum. It differs if any eight bytes at a multiple of eight differ, and
// most likely if more do.
func sum(b []byte) uint64 {
	const odd = 0x9e3779b97f4a7c15
	h := uint64(len(b))
	for ; len(b) >= 8; b = b[8:] {
		h = (bits.RotateLeft64(h, 23) ^ binary.LittleEndian.Uint64(b)) * odd
	}
	for _, c := range b {
		h = (bits.RotateLeft64(h, 23) ^ uint64(c)) * odd
	}
	return h ^ h>>32
}

// canonical encodes everything that determines the program, so that different inputs
// give different bytes: the helper, which is the compiler and its library, the machine,
// and the profile. Lengths precede strings and lists, and absent differs from zero and
// from empty.
//
// The kernel is not included, because the compiler does not ask it. Nor are
// listenerPath and listenerMetadata: they are for whoever passes the listener on, and
// often differ between containers.
func canonical(p *specs.LinuxSeccomp) key {
	e := make(encoder, 0, 16<<10)
	e.number(formatVersion)
	e.text(helperSum())
	e.text(runtime.GOARCH)

	e.text(string(p.DefaultAction))
	e.optional(p.DefaultErrnoRet)
	e.number(uint64(len(p.Architectures)))
	for _, word := range p.Architectures {
		e.text(string(word))
	}
	e.present(p.Flags != nil)
	e.number(uint64(len(p.Flags)))
	for _, word := range p.Flags {
		e.text(string(word))
	}
	e.number(uint64(len(p.Syscalls)))
	for i := range p.Syscalls {
		e.entry(&p.Syscalls[i])
	}
	return key(e)
}

type encoder []byte

func (e *encoder) entry(s *specs.LinuxSyscall) {
	e.number(uint64(len(s.Names)))
	for _, name := range s.Names {
		e.text(name)
	}
	e.text(string(s.Action))
	e.optional(s.ErrnoRet)
	e.number(uint64(len(s.Args)))
	for _, arg := range s.Args {
		e.number(uint64(arg.Index))
		e.number(arg.Value)
		e.number(arg.ValueTwo)
		e.text(string(arg.Op))
	}
}

func (e *encoder) number(n uint64) { *e = binary.AppendUvarint(*e, n) }

func (e *encoder) text(s string) {
	e.number(uint64(len(s)))
	*e = append(*e, s...)
}

func (e *encoder) present(yes bool) {
	if yes {
		*e = append(*e, 1)
	} else {
		*e = append(*e, 0)
	}
}

func (e *encoder) optional(n *uint) {
	e.present(n != nil)
	if n != nil {
		e.number(uint64(*n))
	}
}
