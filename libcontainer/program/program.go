// SPDX-License-Identifier: Apache-2.0

package program

import "github.com/skiff-oci/skiff/libcontainer/wire"

// A Slot is an index into the child's table of descriptors. The first slots are
// the descriptors that the child inherits, under the same numbers (0, 1, 2, then
// [SlotProgram] and so on); operations that open something fill the others. No
// operation refers to one of the first three, so the zero Slot means none.
type Slot int32

// The slots that every child has.
const (
	NoSlot      Slot = 0 // no descriptor; for a directory: the working directory
	SlotProgram Slot = 3 // memfd with the encoded program
	SlotSocket  Slot = 4 // the handshake's SEQPACKET socket
	SlotFirst   Slot = 5 // the first slot for other descriptors
)

// Operation is one operation of the child: one system call, or a short fixed
// sequence of them on one object. The types are in ops_*.go.
type Operation interface {
	// what describes the operation for an error message: "mount proc on /proc".
	what() string

	code() code
}

// Entry is an operation in a program, with the field that asks for it.
type Entry struct {
	Operation
	Field string // JSON path of the field of config.json that asks for it; not encoded
}

// Program is what the child runs: operations in order, and the number of
// descriptor slots that they use.
type Program struct {
	Ops       []Entry
	Inherited int // slots below this number are passed to the child as open descriptors
	Slots     int // number of all slots, at least Inherited

	Traces     bool   // the child reports how long each operation takes
	TimerSlack uint64 // of the user's process (prctl(2), PR_SET_TIMERSLACK), in nanoseconds
}

// Add appends an operation. field is the JSON path of the field of config.json
// that asks for it; empty if there is none.
func (p *Program) Add(field string, op Operation) {
	p.Ops = append(p.Ops, Entry{op, field})
}

// NewSlot reserves a slot for an operation to fill. All inherited slots must be
// reserved first ([Program.Inherit]).
func (p *Program) NewSlot() Slot {
	s := Slot(p.Slots)
	p.Slots++
	return s
}

// Inherit reserves n consecutive slots for descriptors that the parent passes
// to the child, and returns the first.
func (p *Program) Inherit(n int) Slot {
	if p.Slots > p.Inherited && p.Inherited != 0 {
		panic("program: a slot was made before the last inherited one")
	}
	if p.Slots == 0 {
		p.Slots = int(SlotFirst)
	}
	s := Slot(p.Slots)
	p.Slots += n
	p.Inherited = p.Slots
	return s
}

// At returns operation i. If the index is out of range, as a broken child might
// send it, At returns an operation that only has a description.
func (p *Program) At(i int) Entry {
	if i < 0 || i >= len(p.Ops) {
		return Entry{Operation: unknown{}}
	}
	return p.Ops[i]
}

// Script returns the messages that the child sends when it runs the program, in
// order. [wire.Failed], [wire.Kept] and [wire.Trace] may come at any point and are
// not in it.
func (p *Program) Script() []wire.Type {
	var s []wire.Type
	for i := range p.Ops {
		switch op := p.Ops[i].Operation.(type) {
		case Sync:
			s = append(s, op.Message)
		case Fork:
			s = append(s, wire.Forked)
		case MakeConsole:
			s = append(s, wire.Console)
		case IDMap:
			s = append(s, wire.IDMap)
		case Seccomp:
			if op.Listener {
				s = append(s, wire.Listener)
			}
		}
	}
	return s
}
