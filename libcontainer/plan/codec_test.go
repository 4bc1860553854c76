package plan

import (
	"math/rand"
	"reflect"
	"strings"
	"testing"
)

func example() *Program {
	p := new(Program)
	root := p.Inherit(1)
	out := p.NewSlot()
	p.Add(Op{Kind: OpNoDump})
	p.Add(Op{Kind: OpFsMount, A: out, S: []string{"tmpfs", "", "size=64k"}, N: [3]uint64{2}, Field: "mounts[0]"})
	p.Add(Op{Kind: OpAttach, A: out, B: root, S: []string{"/dev"}, Flags: AttachMode, Field: "mounts[0]"})
	p.Add(Op{Kind: OpGroups, Data: []byte{1, 2, 3, 4, 5, 6, 7, 8}})
	p.Add(Op{Kind: OpExec, S: []string{"sh", "", "A=1"}, N: [3]uint64{2, 1}})
	return p
}

// decoded is what the codec keeps of p.
func decoded(p *Program) *Program {
	q := &Program{Inherited: p.Inherited, Slots: p.Slots, TimerSlack: p.TimerSlack}
	for _, op := range p.Ops {
		op.Field = ""
		q.Ops = append(q.Ops, op)
	}
	return q
}

func TestRoundTrip(t *testing.T) {
	p := example()
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	q, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if want := decoded(p); !reflect.DeepEqual(q, want) {
		t.Errorf("decoded\n%v\nexpected\n%v", q, want)
	}
}

// Every program that can be made comes back as it was, and every one of its
// truncations is refused or ends in a program: nothing is read past the end.
func TestRoundTripRandom(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 300 {
		p := random(r)
		b, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		q, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if want := decoded(p); !reflect.DeepEqual(q, want) {
			t.Fatalf("decoded\n%v\nexpected\n%v", q, want)
		}
		for range 20 {
			_, _ = Decode(b[:r.Intn(len(b))])
		}
	}
}

func random(r *rand.Rand) *Program {
	p := new(Program)
	p.Inherit(r.Intn(4))
	p.TimerSlack = r.Uint64()
	for range r.Intn(20) {
		op := Op{Kind: Kind(1 + r.Intn(int(kinds)-1)), Flags: r.Uint32(), A: Slot(r.Int31n(9) - 1), B: Slot(r.Int31n(9) - 1)}
		for i := range op.N {
			op.N[i] = r.Uint64()
		}
		for range r.Intn(4) {
			op.S = append(op.S, strings.Repeat("x/=", r.Intn(50)))
		}
		if n := r.Intn(40); n > 0 {
			op.Data = make([]byte, n)
			r.Read(op.Data)
		}
		p.Add(op)
	}
	return p
}

func FuzzDecode(f *testing.F) {
	b, err := example().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			return
		}
		again, err := p.Encode()
		if err != nil {
			return // strings may overlap, so the whole may be larger than what it came from
		}
		q, err := Decode(again)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(p, q) {
			t.Errorf("decoded\n%v\nthen\n%v", p, q)
		}
	})
}

func TestDecodeRefuses(t *testing.T) {
	good, err := example().Encode()
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int, value byte) []byte {
		b := append([]byte(nil), good...)
		b[at] = value
		return b
	}
	tests := map[string][]byte{
		"empty":          nil,
		"short":          good[:headerSize-1],
		"magic":          change(0, 'x'),
		"operations":     change(6, 0xff),
		"kind 0":         change(headerSize, 0),
		"kind too large": change(headerSize, byte(kinds)),
		"string outside": change(headerSize+recordSize+42, 0xff),
		"data outside":   change(headerSize+3*recordSize+46, 0xff),
	}
	for name, b := range tests {
		if p, err := Decode(b); err == nil {
			t.Errorf("%s: decoded to\n%v", name, p)
		}
	}
}

func TestEncodeTooLarge(t *testing.T) {
	p := new(Program)
	p.Add(Op{Kind: OpExec, S: []string{strings.Repeat("x", MaxSize)}})
	if _, err := p.Encode(); err == nil || !strings.Contains(err.Error(), "arguments and environment too long") {
		t.Errorf("error %v", err)
	}
}

func TestString(t *testing.T) {
	want := `  0  nodump()
  1  fsmount("tmpfs", "", "size=64k", 0x2) = #6                           # mounts[0]
  2  attach(#6, #5, "/dev", flags=16)                                     # mounts[0]
  3  setgroups(data[8])
  4  exec("sh", "", "A=1", 2, 1)
`
	if got := example().String(); got != want {
		t.Errorf("listing\n%s\nexpected\n%s", got, want)
	}
	for k := Kind(1); k < kinds; k++ {
		if k.String() == "" || k.String() == "invalid" {
			t.Errorf("kind %d has no name", k)
		}
	}
}
