// SPDX-License-Identifier: Apache-2.0

package compiler

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/library"
	"golang.org/x/sys/unix"
)

// abi is the part of the head for one ABI.
type abi struct {
	audit, first uint32
	// stub says that numbers above last and below end (0: no end) are newer than the
	// profile, and get ENOSYS.
	stub      bool
	last, end uint32
	calls     []missingCall // in the order of their numbers
	decided   []decided
	gap       unix.SockFilter // the verdict for numbers between those in decided
	start     uint32          // of libseccomp's program, in instructions after the head
}

// missingCall is a call that libseccomp does not know, with its rules.
type missingCall struct {
	number uint32
	wide   bool // its arguments have 64 bits
	rules  []library.Rule
}

// Opcodes of classic BPF and offsets in struct seccomp_data.
const (
	opLoad     = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	opAnd      = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	opJump     = unix.BPF_JMP | unix.BPF_JA
	opEqual    = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opGreater  = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	opNotBelow = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	opReturn   = bpf.Return

	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// exitBase marks the distance of a jump to libseccomp's program for an ABI, until head
// knows its own length. No program is so long that another jump has such a distance.
const exitBase = 1 << 31

func (a *abi) exit() unix.SockFilter { return unix.SockFilter{Code: opJump, K: exitBase + a.start} }

// simple reports whether libseccomp's program is all that the ABI needs.
func (a *abi) simple() bool { return !a.stub && len(a.calls) == 0 && len(a.decided) == 0 }

// head generates the head:
//
//	A = arch
//	if A == x86_64                       for each AUDIT_ARCH
//	  A = nr
//	  if A >= first                      for each of its ABIs, unless there is only one
//	    if A >= the first number that libseccomp does not know
//	      if A == number { rules, goto program of the ABI }
//	    if A > last && A < end return ENOSYS
//	    if A is in the range of a plain rule, return its action (tree.go)
//	    goto program of the ABI
//
// Any other arch falls through to the first program, which refuses it. There is no head if
// that would be all. It uses only instructions that the kernel's seccomp_is_const_allow
// understands, for the cache of always-allowed calls.
func head(abis []abi) []unix.SockFilter {
	if len(abis) == 1 && abis[0].simple() {
		return nil
	}
	prog := []unix.SockFilter{{Code: opLoad, K: offsetArch}}
	for i, a := range abis {
		if slices.ContainsFunc(abis[:i], func(o abi) bool { return o.audit == a.audit }) {
			continue // part of the first one with this AUDIT_ARCH
		}
		prog = append(prog, when(opEqual, a.audit, archBlock(abis[i:], a.audit))...)
	}
	for i := range prog {
		if in := &prog[i]; in.Code == opJump && in.K >= exitBase {
			in.K = uint32(len(prog)-i-1) + in.K - exitBase
		}
	}
	return prog
}

// archBlock generates the part for one AUDIT_ARCH. The ABIs that share it differ in their
// first numbers.
func archBlock(abis []abi, audit uint32) []unix.SockFilter {
	abis = slices.DeleteFunc(slices.Clone(abis), func(a abi) bool { return a.audit != audit })
	slices.SortFunc(abis, func(x, y abi) int { return cmp.Compare(y.first, x.first) })
	lowest := len(abis) - 1
	if lowest == 0 && abis[0].simple() {
		return []unix.SockFilter{abis[0].exit()}
	}
	block := []unix.SockFilter{{Code: opLoad, K: offsetNumber}}
	for _, a := range abis[:lowest] {
		block = append(block, when(opNotBelow, a.first, a.block())...)
	}
	return append(block, abis[lowest].block()...)
}

// block generates the part for one ABI, which always returns or jumps to the ABI's program.
// The accumulator has the number.
func (a *abi) block() []unix.SockFilter {
	var calls []unix.SockFilter
	for _, c := range a.calls {
		calls = append(calls, when(opEqual, c.number, ruleBody(&c, a.exit()))...)
	}
	if len(calls) > 0 {
		calls = when(opNotBelow, a.calls[0].number, calls)
	}
	search := tree(a.segments())
	if !a.stub {
		return append(calls, search...)
	}
	refuse := []unix.SockFilter{{Code: opReturn, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)}}
	if a.end != 0 {
		refuse = unless(opNotBelow, a.end, refuse)
	}
	return slices.Concat(calls, when(opGreater, a.last, refuse), search)
}

// when generates a comparison of the accumulator with k that skips body unless it
// holds. The offsets of conditional jumps have 8 bits, that of the unconditional jump
// 32.
func when(code uint16, k uint32, body []unix.SockFilter) []unix.SockFilter {
	if len(body) <= 255 {
		return append([]unix.SockFilter{{Code: code, K: k, Jf: uint8(len(body))}}, body...)
	}
	return append([]unix.SockFilter{{Code: code, K: k, Jt: 1}, {Code: opJump, K: uint32(len(body))}}, body...)
}

// unless generates a comparison that skips body if it holds. The body must have at most
// 255 instructions.
func unless(code uint16, k uint32, body []unix.SockFilter) []unix.SockFilter {
	return append([]unix.SockFilter{{Code: code, K: k, Jt: uint8(len(body))}}, body...)
}

// addMissing adds to each ABI the rules of calls that it has and libseccomp does not
// know there, unless they are plain.
func (c *compiler) addMissing(abis []abi) {
	for i, a := range c.archs {
		byNumber := make(map[uint32][]library.Rule)
		for _, r := range c.question.Rules {
			if n, ok := a.missingNumber(c.question.Names[r.Name], c.answer.Archs[i].Numbers[r.Name]); ok && !r.Plain {
				byNumber[n] = append(byNumber[n], r)
			}
		}
		for n, of := range byNumber {
			abis[i].calls = append(abis[i].calls, missingCall{n, a.wide(), of})
		}
		slices.SortFunc(abis[i].calls, func(x, y missingCall) int { return cmp.Compare(x.number, y.number) })
	}
}

// encode returns the array of struct sock_filter that the kernel reads.
func encode(prog []unix.SockFilter) []byte {
	b := make([]byte, 0, bpf.InsnSize*len(prog))
	for _, in := range prog {
		b = binary.NativeEndian.AppendUint16(b, in.Code)
		b = append(b, in.Jt, in.Jf)
		b = binary.NativeEndian.AppendUint32(b, in.K)
	}
	return b
}
