package seccomp

import (
	"crypto/sha256"
	"encoding/binary"
	"runtime"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// formatVersion is part of each key. Raise it with every change of this
// package that makes another file of the same program.
const formatVersion = 2

// key is the name of a program in the cache: SHA-256 over everything that
// shapes it. A strong hash, since a profile made to collide with another
// container's would weaken that container's filter.
type key [sha256.Size]byte

func keyOf(p *specs.LinuxSeccomp) key {
	return sha256.Sum256(canonical(p))
}

// canonical writes, so that no two inputs give the same bytes, what shapes the
// program: the helper, which is the compiler and its library, the machine, the
// profile. Lengths come before strings and lists, and absent differs from zero
// and empty.
//
// The kernel is not in it, as the compiler does not ask the kernel. Nor are listenerPath and listenerMetadata: they are for whoever
// hands the listener on, and often differ from container to container.
func canonical(p *specs.LinuxSeccomp) []byte {
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
	return e
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
