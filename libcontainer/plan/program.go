package plan

// A Slot is the number of a file descriptor in the child. The first ones are
// the child's own fds (0, 1, 2, then [SlotProgram] and so on, as inherited);
// the others are filled by operations that open something.
type Slot int32

// The slots that every child has.
const (
	NoSlot      Slot = -1 // no descriptor; as a directory: the working directory
	SlotProgram Slot = 3  // memfd with the encoded program
	SlotSocket  Slot = 4  // the handshake's SEQPACKET socket
	SlotFirst   Slot = 5  // the first slot for other descriptors
)

// Op is one operation of the child: one system call, or a short fixed run of
// them on one object. The meaning of the fields stands at each [Kind].
type Op struct {
	Kind  Kind
	Flags uint32
	A, B  Slot
	N     [3]uint64
	S     []string
	Data  []byte

	// For the parent's error messages; not encoded.
	Field string // JSON path of the config field that asked for it
}

// Program is what the child runs: operations in order, and how many
// descriptor slots they use.
type Program struct {
	Ops       []Op
	Inherited int // slots below this number are passed to the child as open fds
	Slots     int // all slots, at least Inherited

	Traces     bool   // the child tells how long each operation takes
	TimerSlack uint64 // of the user's process (prctl(2), PR_SET_TIMERSLACK), in nanoseconds
}

// Add appends an operation and returns it, so that the caller may fill in the
// rest. Slots left at zero mean "none".
func (p *Program) Add(op Op) *Op {
	if op.A == 0 {
		op.A = NoSlot
	}
	if op.B == 0 {
		op.B = NoSlot
	}
	p.Ops = append(p.Ops, op)
	return &p.Ops[len(p.Ops)-1]
}

// NewSlot reserves a slot that an operation fills. All inherited slots must
// have been handed out before ([Program.Inherit]).
func (p *Program) NewSlot() Slot {
	s := Slot(p.Slots)
	p.Slots++
	return s
}

// Inherit reserves n consecutive slots for descriptors that the parent passes
// to the child, and returns the first.
func (p *Program) Inherit(n int) Slot {
	if p.Slots > p.Inherited && p.Inherited != 0 {
		panic("plan: a slot was made before the last inherited one")
	}
	if p.Slots == 0 {
		p.Slots = int(SlotFirst)
	}
	s := Slot(p.Slots)
	p.Slots += n
	p.Inherited = p.Slots
	return s
}
