//go:build cgo && cparts

package compiler

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
	"golang.org/x/sys/unix"
)

// abi is what the head has to do for one ABI.
type abi struct {
	audit uint32
	// stub: numbers above last and below end (0: no end) are newer than the
	// profile, and answered with ENOSYS.
	stub      bool
	last, end uint32
	calls     []ownCall // in the order of their numbers
}

// ownCall is a call that libseccomp does not know, and what to do with it.
type ownCall struct {
	number uint32
	body   []unix.SockFilter // always ends in a return or in exit
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

// exit jumps to libseccomp's program: its distance is known, and put in its
// place, when the head is whole.
var exit = unix.SockFilter{Code: opJump, K: ^uint32(0)}

// head writes the head:
//
//	A = arch
//	if A == x86_64                       for each AUDIT_ARCH
//	  A = nr
//	  if A >= the first of libseccomp's unknown calls      for each of its ABIs
//	    if A == number { rules, goto program }
//	  if A > last && A < end return ENOSYS
//	  goto program
//
// Only instructions are used that the kernel's seccomp_is_const_allow follows,
// for its cache of always-allowed calls.
func head(abis []abi) []unix.SockFilter {
	abis = slices.DeleteFunc(slices.Clone(abis), func(a abi) bool { return !a.stub && len(a.calls) == 0 })
	if len(abis) == 0 {
		return nil
	}
	prog := []unix.SockFilter{{Code: opLoad, K: offsetArch}}
	for i, a := range abis {
		if slices.ContainsFunc(abis[:i], func(o abi) bool { return o.audit == a.audit }) {
			continue // done with the first of this AUDIT_ARCH
		}
		prog = append(prog, when(opEqual, a.audit, archBlock(abis[i:], a.audit))...)
	}
	for i := range prog {
		if prog[i] == exit {
			prog[i].K = uint32(len(prog) - i - 1)
		}
	}
	return prog
}

// archBlock writes the part for one AUDIT_ARCH.
func archBlock(abis []abi, audit uint32) []unix.SockFilter {
	block := []unix.SockFilter{{Code: opLoad, K: offsetNumber}}
	for _, a := range abis {
		if a.audit == audit {
			block = append(block, a.block()...)
		}
	}
	return append(block, exit)
}

// block writes the part for one ABI. The accumulator has the number, at its
// end, too.
func (a *abi) block() []unix.SockFilter {
	var calls []unix.SockFilter
	for _, c := range a.calls {
		calls = append(calls, when(opEqual, c.number, c.body)...)
	}
	if len(calls) > 0 {
		calls = when(opNotBelow, a.calls[0].number, calls)
	}
	if !a.stub {
		return calls
	}
	refuse := []unix.SockFilter{{Code: opReturn, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)}}
	if a.end != 0 {
		refuse = unless(opNotBelow, a.end, refuse)
	}
	return append(calls, when(opGreater, a.last, refuse)...)
}

// when has body done if a comparison of the accumulator with k holds. The
// offsets of conditional jumps have 8 bits, those of others 32.
func when(code uint16, k uint32, body []unix.SockFilter) []unix.SockFilter {
	if len(body) <= 255 {
		return append([]unix.SockFilter{{Code: code, K: k, Jf: uint8(len(body))}}, body...)
	}
	return append([]unix.SockFilter{{Code: code, K: k, Jt: 1}, {Code: opJump, K: uint32(len(body))}}, body...)
}

// unless has a short body done if the comparison does not hold.
func unless(code uint16, k uint32, body []unix.SockFilter) []unix.SockFilter {
	return append([]unix.SockFilter{{Code: code, K: k, Jt: uint8(len(body))}}, body...)
}

// addOwn gives each ABI the rules of calls that it has and libseccomp does not
// know there.
func addOwn(abis []abi, list []arch, rules []rule) {
	for i, a := range list {
		byNumber := make(map[uint32][]rule)
		for _, r := range rules {
			if n, ok := a.lacks(r.name); ok {
				byNumber[n] = append(byNumber[n], r)
			}
		}
		for n, of := range byNumber {
			abis[i].calls = append(abis[i].calls, ownCall{n, ruleBody(of, a.wide())})
		}
		slices.SortFunc(abis[i].calls, func(x, y ownCall) int { return cmp.Compare(x.number, y.number) })
	}
}

// encode gives the array of struct sock_filter that the kernel reads.
func encode(prog []unix.SockFilter) []byte {
	b := make([]byte, 0, bpf.InsnSize*len(prog))
	for _, in := range prog {
		b = binary.NativeEndian.AppendUint16(b, in.Code)
		b = append(b, in.Jt, in.Jf)
		b = binary.NativeEndian.AppendUint32(b, in.K)
	}
	return b
}
