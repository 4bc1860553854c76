package plan

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The encoded program, in native byte order (it never leaves the machine):
//
//	header   magic, operations, slots, inherited slots     4 x uint32
//	         timer slack, 1 for traces                     2 x uint64
//	records  operations x recordSize
//	pool     strings, each ended by NUL; data, each aligned to 8
//
// A record is kind and flags (uint32 each), A and B (int32), N (3 x uint64),
// offset of the first string, offset and length of the data, number of strings
// (uint32 each). Offsets count from the program's start.
const (
	magic      = 0x31464b53 // "SKF1"
	headerSize = 32
	recordSize = 56
	// MaxSize bounds an encoded program: arguments and environment are at
	// most 6 MiB in the kernel's eyes (3/4 of _STK_LIM), the rest is small.
	MaxSize = 16 << 20
)

// ErrProgram says that the bytes are no program.
var ErrProgram = errors.New("not a launch program")

// Encode returns the program's wire form.
func (p *Program) Encode() ([]byte, error) {
	off := headerSize + recordSize*len(p.Ops)
	size := off
	for i := range p.Ops {
		for _, s := range p.Ops[i].S {
			size += len(s) + 1
		}
		if n := len(p.Ops[i].Data); n > 0 {
			size += n + 7
		}
	}
	if size > MaxSize {
		return nil, fmt.Errorf("launch program of %d bytes exceeds %d bytes (arguments and environment too long)", size, MaxSize)
	}
	b := make([]byte, size)
	le := binary.NativeEndian
	le.PutUint32(b[0:], magic)
	le.PutUint32(b[4:], uint32(len(p.Ops)))
	le.PutUint32(b[8:], uint32(p.Slots))
	le.PutUint32(b[12:], uint32(p.Inherited))
	le.PutUint64(b[16:], p.TimerSlack)
	if p.Traces {
		le.PutUint64(b[24:], 1)
	}
	for i := range p.Ops {
		op := &p.Ops[i]
		r := b[headerSize+recordSize*i:][:recordSize]
		le.PutUint32(r[0:], uint32(op.Kind))
		le.PutUint32(r[4:], op.Flags)
		le.PutUint32(r[8:], uint32(op.A))
		le.PutUint32(r[12:], uint32(op.B))
		for j, n := range op.N {
			le.PutUint64(r[16+8*j:], n)
		}
		le.PutUint32(r[40:], uint32(off))
		le.PutUint32(r[52:], uint32(len(op.S)))
		for _, s := range op.S {
			off += copy(b[off:], s) + 1
		}
		if len(op.Data) > 0 {
			off = (off + 7) &^ 7
			le.PutUint32(r[44:], uint32(off))
			le.PutUint32(r[48:], uint32(len(op.Data)))
			off += copy(b[off:], op.Data)
		}
	}
	return b[:off], nil
}

// Decode reads the wire form. It is for tests and tools: the child has its own
// reader, which trusts the sealed memfd.
func Decode(b []byte) (*Program, error) {
	le := binary.NativeEndian
	if len(b) < headerSize || len(b) > MaxSize || le.Uint32(b) != magic {
		return nil, ErrProgram
	}
	n := int(le.Uint32(b[4:]))
	if n > (len(b)-headerSize)/recordSize {
		return nil, fmt.Errorf("%w: %d operations in %d bytes", ErrProgram, n, len(b))
	}
	p := &Program{Slots: int(le.Uint32(b[8:])), Inherited: int(le.Uint32(b[12:])), TimerSlack: le.Uint64(b[16:]), Traces: le.Uint64(b[24:]) != 0}
	for i := range n {
		op, err := decodeOp(b, b[headerSize+recordSize*i:][:recordSize])
		if err != nil {
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
		p.Ops = append(p.Ops, op)
	}
	return p, nil
}

func decodeOp(b, r []byte) (Op, error) {
	le := binary.NativeEndian
	op := Op{
		Kind: Kind(le.Uint32(r)), Flags: le.Uint32(r[4:]),
		A: Slot(le.Uint32(r[8:])), B: Slot(le.Uint32(r[12:])),
	}
	if op.Kind == 0 || op.Kind >= kinds {
		return op, fmt.Errorf("%w: kind %d", ErrProgram, op.Kind)
	}
	for j := range op.N {
		op.N[j] = le.Uint64(r[16+8*j:])
	}
	off := int(le.Uint32(r[40:]))
	for range le.Uint32(r[52:]) {
		s, ok := cstring(b, off)
		if !ok {
			return op, fmt.Errorf("%w: string at %d", ErrProgram, off)
		}
		op.S = append(op.S, s)
		off += len(s) + 1
	}
	if n := int(le.Uint32(r[48:])); n > 0 {
		off := int(le.Uint32(r[44:]))
		if off > len(b) || n > len(b)-off {
			return op, fmt.Errorf("%w: data at %d", ErrProgram, off)
		}
		op.Data = append([]byte(nil), b[off:off+n]...)
	}
	return op, nil
}

func cstring(b []byte, off int) (string, bool) {
	if off > len(b) {
		return "", false
	}
	for i := off; i < len(b); i++ {
		if b[i] == 0 {
			return string(b[off:i]), true
		}
	}
	return "", false
}
