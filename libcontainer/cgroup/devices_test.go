// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// decide applies a list of rules directly: for each kind of access the last rule that
// matches decides.
func decide(list []rule, dev rule) bool {
	for bit := mknod; bit <= write; bit <<= 1 {
		if dev.access&bit == 0 {
			continue
		}
		allowed := false
		for i := range list {
			if r := &list[i]; r.covers(&dev) && r.access&bit != 0 {
				allowed = r.allow
			}
		}
		if !allowed {
			return false
		}
	}
	return true
}

// run interprets a device program.
func run(t *testing.T, p []insn, dev rule) bool {
	t.Helper()
	if p == nil {
		return true
	}
	kind := uint32(devChar)
	if dev.kind == 'b' {
		kind = devBlock
	}
	ctx := [3]uint32{uint32(dev.access)<<16 | kind, uint32(dev.major), uint32(dev.minor)}
	var r [10]uint64
	for pc := 0; pc < len(p); pc++ {
		in := p[pc]
		dst, src := in.regs&15, in.regs>>4
		operand := uint64(int64(in.imm))
		if in.code&unix.BPF_X != 0 {
			operand = r[src]
		}
		switch op := in.code & 0xf0; in.code & 0x07 {
		case unix.BPF_LDX:
			r[dst] = uint64(ctx[in.off/4])
		case unix.BPF_LD:
			r[dst] = uint64(uint32(in.imm)) | uint64(p[pc+1].imm)<<32
			pc++
		case unix.BPF_ALU:
			r[dst] = uint64(uint32(alu(t, op, uint64(uint32(r[dst])), uint64(uint32(operand)))))
		case bpfAlu64:
			r[dst] = alu(t, op, r[dst], operand)
		case bpfJmp32:
			if jumps(t, op, uint64(uint32(r[dst])), uint64(uint32(operand))) {
				pc += int(in.off)
			}
		case unix.BPF_JMP:
			if op == bpfExit {
				return r[rResult] == 1
			}
			if jumps(t, op, r[dst], operand) {
				pc += int(in.off)
			}
		}
	}
	t.Fatal("the program runs off its end")
	return false
}

func alu(t *testing.T, op uint8, a, b uint64) uint64 {
	t.Helper()
	switch op {
	case bpfMov:
		return b
	case unix.BPF_AND:
		return a & b
	case unix.BPF_OR:
		return a | b
	case unix.BPF_XOR:
		return a ^ b
	case unix.BPF_LSH:
		return a << b
	case unix.BPF_RSH:
		return a >> b
	}
	t.Fatalf("unknown operation %#x", op)
	return 0
}

func jumps(t *testing.T, op uint8, a, b uint64) bool {
	t.Helper()
	switch op {
	case unix.BPF_JEQ:
		return a == b
	case bpfJne:
		return a != b
	}
	t.Fatalf("unknown jump %#x", op)
	return false
}

func randomRule(rnd *rand.Rand, field string) rule {
	number := func() int64 { return []int64{wildcard, 1, 2, 4095}[rnd.IntN(4)] }
	return rule{allow: rnd.IntN(2) == 0, kind: "abc"[rnd.IntN(3)], major: number(), minor: number(),
		access: access(1 + rnd.IntN(int(full))), field: field}
}

// TestDeviceRulesMean compares both translations of random rules with decide.
func TestDeviceRulesMean(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	reduced := 0
	for range 3000 {
		list := []rule{{kind: 'a', major: wildcard, minor: wildcard, access: full}}
		for range rnd.IntN(6) {
			list = append(list, randomRule(rnd, "user"))
		}
		p := compileRules(list)
		w, err := reduce(list)
		if err == nil {
			reduced++
		}
		for range 40 {
			dev := rule{kind: "bc"[rnd.IntN(2)], major: []int64{1, 2, 3, 4095}[rnd.IntN(4)],
				minor: []int64{1, 2, 3, 4095}[rnd.IntN(4)], access: access(1 + rnd.IntN(int(full)))}
			want := decide(list, dev)
			if got := run(t, p, dev); got != want {
				t.Fatalf("v2: rules %v: %v is %v, want %v", list, dev, got, want)
			}
			if err != nil {
				continue
			}
			flat := []rule{{allow: w.allow, kind: 'a', major: wildcard, minor: wildcard, access: full}}
			for _, e := range w.exceptions {
				e.allow = !w.allow
				flat = append(flat, e)
			}
			if got := decide(flat, dev); got != want {
				t.Fatalf("v1: rules %v reduced to %v: %v is %v, want %v", list, w, dev, got, want)
			}
		}
	}
	if reduced < 1000 {
		t.Errorf("only %d of 3000 lists could be reduced: the test shows little", reduced)
	}
}

// TestDeviceProgramsLoad loads random programs and a long one, for the kernel's
// verifier to check. It attaches none.
func TestDeviceProgramsLoad(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for size := range 60 {
		list := []rule{{kind: 'a', major: wildcard, minor: wildcard, access: full}}
		for range size * size / 4 {
			list = append(list, randomRule(rnd, "user"))
		}
		p := compileRules(list)
		if p == nil {
			continue
		}
		fd, err := loadProgram(p)
		if errors.Is(err, unix.EPERM) {
			t.Skip("may not load BPF programs here: EPERM")
		}
		if err != nil {
			t.Fatalf("%d rules: %v", len(list), err)
		}
		_ = unix.Close(fd)
	}
}

func TestDeviceReduceHole(t *testing.T) {
	list := []rule{
		{allow: true, kind: 'c', major: 1, minor: wildcard, access: full},
		{kind: 'c', major: 1, minor: 3, access: write, field: "linux.resources.devices[1]"},
	}
	_, err := reduce(list)
	var f *FieldError
	if !errors.As(err, &f) || f.Field != "linux.resources.devices[1]" || !errors.Is(err, errHole) {
		t.Errorf("a hole in an earlier rule: %v", err)
	}
	list[1].field = "" // a built-in rule is left out
	if _, err := reduce(list); err != nil {
		t.Error(err)
	}
}

func TestDeviceDefaults(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	for name, c := range map[string]struct {
		resources *specs.LinuxResources
		allowed   string // the exceptions that reduce returns, separated by commas
		all       bool
	}{
		"nil":   {nil, "c 1:3 rwm,c 1:5 rwm,c 1:7 rwm,c 1:8 rwm,c 1:9 rwm,c 5:0 rwm,c 5:2 rwm,c 136:* rwm,c 10:200 rwm,b *:* m,c *:* m", false},
		"empty": {&specs.LinuxResources{}, "c 1:3 rwm,c 1:5 rwm,c 1:7 rwm,c 1:8 rwm,c 1:9 rwm,c 5:0 rwm,c 5:2 rwm,c 136:* rwm,c 10:200 rwm,b *:* m,c *:* m", false},
		"tun denied by name": {&specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{
			{Access: "rwm"}, {Type: "c", Major: n(10), Minor: n(200), Access: "rwm"}}},
			"c 1:3 rwm,c 1:5 rwm,c 1:7 rwm,c 1:8 rwm,c 1:9 rwm,c 5:0 rwm,c 5:2 rwm,c 136:* rwm,b *:* m,c *:* m", false},
		"privileged": {&specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}}, "", true},
	} {
		list, err := deviceRules(c.resources)
		if err != nil {
			t.Fatal(err)
		}
		w, err := reduce(list)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range w.exceptions {
			got = append(got, e.String())
		}
		if w.allow != c.all || strings.Join(got, ",") != c.allowed {
			t.Errorf("%s: allow %v but %v", name, w.allow, got)
		}
		if (compileRules(list) == nil) != c.all {
			t.Errorf("%s: a program: %v", name, compileRules(list) != nil)
		}
	}
}

// A major number that no device can have must not match another one.
func TestDeviceBigMajor(t *testing.T) {
	p := compileRules([]rule{
		{kind: 'a', major: wildcard, minor: wildcard, access: full},
		{allow: true, kind: 'b', major: 1<<30 + 1, minor: 3, access: full},
		{allow: true, kind: 'c', major: 1<<31 + 1, minor: wildcard, access: read},
	})
	for _, kind := range []byte("bc") {
		if dev := (rule{kind: kind, major: 1, minor: 3, access: read}); run(t, p, dev) {
			t.Errorf("%v is allowed", dev)
		}
	}
}

func TestDeviceErrors(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	for field, d := range map[string]specs.LinuxDeviceCgroup{
		"type":   {Type: "p", Access: "r"},
		"major":  {Major: n(-2), Access: "r"},
		"minor":  {Minor: n(1 << 32), Access: "r"},
		"access": {Access: "RX"},
	} {
		_, err := deviceRules(&specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{d}})
		var f *FieldError
		if !errors.As(err, &f) || f.Field != "linux.resources.devices[0]."+field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// Letters other than r, w and m are ignored.
func TestDeviceAccess(t *testing.T) {
	for _, c := range []struct {
		text  string
		allow bool
		want  access
		ok    bool
	}{
		{"rwm", true, full, true}, {"mwr", false, full, true}, {"rrw", true, read | write, true},
		{"rwa", true, read | write, true}, {"rwa", false, read | write, true}, {"r,w ", true, read | write, true},
		{"RW", true, 0, true}, {"x", true, 0, true}, {"RW", false, 0, false}, {"", true, 0, false}, {"", false, 0, false},
	} {
		got, err := deviceAccess(c.text, c.allow)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("deviceAccess(%q, %v) = %v, %v", c.text, c.allow, got, err)
		}
	}
	one := &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: true, Access: "X"}}}
	none, err := deviceRules(nil)
	got, err2 := deviceRules(one)
	if err != nil || err2 != nil || !slices.Equal(got, none) {
		t.Errorf("a rule that allows nothing: %v, %v; want %v, %v", got, err2, none, err)
	}
}
