// SPDX-License-Identifier: Apache-2.0

//go:build cgo && cparts

package compiler

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/library"
	"golang.org/x/sys/unix"
)

// A search returns the verdict of each number, whatever the number of segments and of
// different verdicts.
func TestTree(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for round := range 400 {
		a := abi{first: uint32(round % 2 * 3), gap: unix.SockFilter{Code: bpf.Return, K: 1}}
		want := make(map[uint32]uint32)
		highest := uint32(0)
		for range rnd.IntN(1 + round*3) {
			n := a.first + uint32(rnd.IntN(1+round*4))
			if rnd.IntN(50) == 0 {
				n = 1<<31 - 1 - n%3
			}
			verdict := uint32(2 + rnd.IntN(1+round%4*60))
			if _, there := want[n]; !there {
				want[n] = verdict
			}
			highest = max(highest, n)
			a.decided = append(a.decided, decided{n, unix.SockFilter{Code: bpf.Return, K: verdict}})
		}
		prog := append([]unix.SockFilter{{Code: opLoad}}, tree(a.segments())...)
		for i, in := range prog {
			if in.Code == opJump && in.K == exitBase {
				prog[i] = unix.SockFilter{Code: bpf.Return, K: 999}
			}
		}
		data := make([]byte, 4)
		for _, n := range append([]uint32{^uint32(0), 1 << 31, 1<<31 - 1, 1<<31 - 2, 1<<31 - 3, 1<<31 - 4}, numbersUpTo(round*5)...) {
			binary.NativeEndian.PutUint32(data, n)
			expected, there := want[n]
			switch {
			case there:
			case n < a.first || n > highest || len(want) == 0:
				expected = 999
			default:
				expected = 1
			}
			if got, err := interpret(prog, data); err != nil || got != expected {
				t.Fatalf("round %d, %d numbers: %d has %d, %v, want %d", round, len(want), n, got, err, expected)
			}
		}
	}
}

func numbersUpTo(n int) []uint32 {
	list := make([]uint32, n)
	for i := range list {
		list[i] = uint32(i)
	}
	return list
}

// Rules are plain if nothing but the name decides.
func TestMarkPlain(t *testing.T) {
	const allow, deny = unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_ERRNO
	cond := []library.Cond{{Op: library.Equal}}
	names := []string{"plain", "twice", "socketcall", "ipc", "conditional", "both", "mixed", "mixed condition"}
	rules := []library.Rule{
		{Name: 0, Action: allow}, {Name: 1, Action: deny}, {Name: 2, Action: allow}, {Name: 3, Action: allow},
		{Name: 4, Action: allow, Conds: cond}, {Name: 5, Action: allow, Conds: cond}, {Name: 6, Action: allow},
		{Name: 7, Action: allow}, {Name: 1, Action: deny}, {Name: 5, Action: allow}, {Name: 6, Action: deny},
		{Name: 7, Action: deny, Conds: cond},
	}
	markPlain(names, rules)
	for _, r := range rules {
		if want := r.Name < 2 || r.Name == 5; r.Plain != want {
			t.Errorf("%s: plain: %v", names[r.Name], r.Plain)
		}
	}
}
