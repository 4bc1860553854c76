// SPDX-License-Identifier: Apache-2.0

//go:build cgo && cparts

package compiler

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
	"golang.org/x/sys/unix"
)

// call is struct seccomp_data without the instruction pointer.
type call struct {
	nr   uint32
	arch uint32
	args [6]uint64
}

func (c call) data() []byte {
	d := make([]byte, 0, 64)
	d = binary.NativeEndian.AppendUint32(d, c.nr)
	d = binary.NativeEndian.AppendUint32(d, c.arch)
	d = binary.NativeEndian.AppendUint64(d, 0)
	for _, arg := range c.args {
		d = binary.NativeEndian.AppendUint64(d, arg)
	}
	return d
}

func decode(t testing.TB, filter []byte) []unix.SockFilter {
	t.Helper()
	if len(filter)%bpf.InsnSize != 0 {
		t.Fatalf("a program of %d bytes", len(filter))
	}
	var prog []unix.SockFilter
	for in := range slices.Chunk(filter, bpf.InsnSize) {
		prog = append(prog, unix.SockFilter{
			Code: binary.NativeEndian.Uint16(in), Jt: in[2], Jf: in[3],
			K: binary.NativeEndian.Uint32(in[4:]),
		})
	}
	return prog
}

// verdict runs prog as the kernel does. It is strict: anything that the kernel's checks
// (bpf_check_classic, seccomp_check_filter) would refuse, or that this package has no
// reason to generate, is an error.
func verdict(prog []unix.SockFilter, c call) (uint32, error) {
	return interpret(prog, c.data())
}

func interpret(prog []unix.SockFilter, data []byte) (uint32, error) {
	var acc uint32
	for pc := 0; pc < len(prog); pc++ {
		in := prog[pc]
		switch in.Code {
		case unix.BPF_RET | unix.BPF_K:
			return in.K, nil
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			if in.K%4 != 0 || int(in.K) >= len(data) {
				return 0, fmt.Errorf("insn %d loads offset %d", pc, in.K)
			}
			acc = binary.NativeEndian.Uint32(data[in.K:])
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			acc &= in.K
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(in.K)
		default:
			taken, err := compare(in, acc)
			if err != nil {
				return 0, fmt.Errorf("insn %d: %w", pc, err)
			}
			if taken {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		}
	}
	return 0, fmt.Errorf("ran off the end of %d instructions", len(prog))
}

func compare(in unix.SockFilter, acc uint32) (bool, error) {
	switch in.Code {
	case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
		return acc == in.K, nil
	case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
		return acc > in.K, nil
	case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
		return acc >= in.K, nil
	case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
		return acc&in.K != 0, nil
	}
	return false, fmt.Errorf("code %#x", in.Code)
}

func TestInterpreter(t *testing.T) {
	prog := []unix.SockFilter{
		{Code: opLoad, K: 16},                         // low word of args[0] on little endian
		{Code: unix.BPF_ALU | unix.BPF_AND, K: 0xf0},  //
		{Code: opEqual, K: 0x30, Jt: 1},               //
		{Code: opReturn, K: 1},                        //
		{Code: opJump, K: 1},                          //
		{Code: opReturn, K: 2},                        // jumped over
		{Code: unix.BPF_JMP | unix.BPF_JSET, K: 0x10}, //
		{Code: opGreater, K: 0x2f, Jf: 2},             //
		{Code: opNotBelow, K: 0x30, Jf: 1},            //
		{Code: opReturn, K: 3},                        //
		{Code: opReturn, K: 4},                        //
	}
	arg := func(v uint32) []byte {
		d := make([]byte, 64)
		binary.NativeEndian.PutUint32(d[16:], v)
		return d
	}
	for v, want := range map[uint32]uint32{0x3a: 3, 0x4a: 1} {
		if got, err := interpret(prog, arg(v)); err != nil || got != want {
			t.Errorf("arg %#x: %d, %v, want %d", v, got, err, want)
		}
	}
	for name, bad := range map[string][]unix.SockFilter{
		"end": {{Code: opLoad}}, "offset": {{Code: opLoad, K: 64}}, "code": {{Code: 0xffff}},
		"jump": {{Code: opJump, K: 5}, {Code: opReturn}},
	} {
		if got, err := interpret(bad, arg(0)); err == nil {
			t.Errorf("%s: bad program returned %d", name, got)
		}
	}
}
