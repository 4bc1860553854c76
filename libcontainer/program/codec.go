// SPDX-License-Identifier: Apache-2.0

package program

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/skiff-oci/skiff/libcontainer/fault"
)

// code is an operation in the form that the child reads. The operation's type
// determines what the fields mean.
type code struct {
	kind  Kind
	flags uint32
	a, b  Slot
	n     [3]uint64
	s     []string
	data  []byte
	words []string // shown in listings and messages, but not encoded
}

// The encoded program, in native byte order (it never leaves the machine):
//
//	header   magic, operations, slots, inherited slots     4 x uint32
//	         timer slack, 1 for traces                     2 x uint64
//	records  operations x RecordSize
//	pool     strings, each terminated by NUL; data, each aligned to 8
//
// A record is kind and flags (uint32 each), a and b (int32, -1 for none), n
// (3 x uint64), offset of the first string, offset and length of the data,
// number of strings (uint32 each). Offsets are relative to the start of the program.
const (
	magic      = 0x31464b53 // "SKF1"
	HeaderSize = 32         // bytes
	RecordSize = 56         // bytes
	// MaxSize limits an encoded program, in bytes: the kernel accepts at most 6 MiB
	// of arguments and environment (3/4 of _STK_LIM), and the rest is small.
	MaxSize = 16 << 20
)

// ErrProgram is the error for bytes that are not a launch program.
var ErrProgram = errors.New("not a launch program")

// Encode returns the program's wire form.
func (p *Program) Encode() ([]byte, error) {
	codes := make([]code, len(p.Ops))
	off := HeaderSize + RecordSize*len(p.Ops)
	size := off
	for i := range p.Ops {
		codes[i] = p.Ops[i].code()
		for _, s := range codes[i].s {
			size += len(s) + 1
		}
		if n := len(codes[i].data); n > 0 {
			size += n + 7
		}
	}
	if size > MaxSize {
		return nil, fault.Hint(fmt.Errorf("the launch program has %d bytes, but must not exceed %d bytes", size, MaxSize), "the arguments and the environment are too long")
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
	for i := range codes {
		off = codes[i].put(b, b[HeaderSize+RecordSize*i:][:RecordSize], off)
	}
	return b[:off], nil
}

// put fills in the record r of the encoded program b, writes the strings and the
// data that it refers to at offset off, and returns the offset where they end.
func (c *code) put(b, r []byte, off int) int {
	le := binary.NativeEndian
	le.PutUint32(r[atKind:], uint32(c.kind))
	le.PutUint32(r[atFlags:], c.flags)
	le.PutUint32(r[atA:], uint32(c.a.onWire()))
	le.PutUint32(r[atB:], uint32(c.b.onWire()))
	for j, n := range c.n {
		le.PutUint64(r[atN+8*j:], n)
	}
	le.PutUint32(r[atStrings:], uint32(off))
	le.PutUint32(r[atNStrings:], uint32(len(c.s)))
	for _, s := range c.s {
		off += copy(b[off:], s) + 1
	}
	if len(c.data) > 0 {
		off = (off + 7) &^ 7
		le.PutUint32(r[atData:], uint32(off))
		le.PutUint32(r[atDataLength:], uint32(len(c.data)))
		off += copy(b[off:], c.data)
	}
	return off
}

// onWire returns the slot in its encoded form: -1 for none.
func (s Slot) onWire() int32 {
	if s == NoSlot {
		return -1
	}
	return int32(s)
}

// The offsets of a record's fields, in bytes.
const (
	atKind, atFlags, atA, atB, atN              = 0, 4, 8, 12, 16
	atStrings, atData, atDataLength, atNStrings = 40, 44, 48, 52
)

// Layout lists the offsets of the fields of a record, under the names that the
// fields have in the child.
func Layout() []Constant {
	return []Constant{
		{"kind", atKind}, {"flags", atFlags}, {"a", atA}, {"b", atB}, {"n", atN},
		{"strings", atStrings}, {"data", atData}, {"data_len", atDataLength}, {"nstrings", atNStrings},
	}
}
