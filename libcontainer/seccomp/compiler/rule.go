// SPDX-License-Identifier: Apache-2.0

package compiler

import (
	"encoding/binary"

	"github.com/skiff-oci/skiff/libcontainer/seccomp/library"
	"golang.org/x/sys/unix"
)

// ruleBody generates the rules of one call. As in libseccomp, a rule without conditions
// has precedence, and otherwise the first one that matches. If none does, exit follows.
func ruleBody(call *missingCall, exit unix.SockFilter) []unix.SockFilter {
	var body []unix.SockFilter
	for _, r := range call.rules {
		verdict := []unix.SockFilter{{Code: opReturn, K: r.Action}}
		if len(r.Conds) == 0 {
			return verdict
		}
		for _, c := range r.Conds {
			verdict = condition(c, call.wide, verdict)
		}
		body = append(body, verdict...)
	}
	return append(body, exit)
}

// condition generates then after a test that skips it unless c holds. then must be
// short: a few instructions.
func condition(c library.Cond, wide bool, then []unix.SockFilter) []unix.SockFilter {
	if !wide {
		return lowWord(c, then)
	}
	switch c.Op {
	case library.Equal:
		return append(load(c, true), when(opEqual, high(c.Value), lowWord(c, then))...)
	case library.MaskedEqual:
		low := when(opEqual, high(c.Two), lowWord(c, then))
		return append(load(c, true), append([]unix.SockFilter{{Code: opAnd, K: high(c.Value)}}, low...)...)
	case library.NotEqual:
		low := lowWord(c, then)
		other := unix.SockFilter{Code: opEqual, K: high(c.Value), Jf: uint8(len(low) - len(then))}
		return append(append(load(c, true), other), low...)
	}
	return ordered(c, then)
}

// ordered is condition for the operators of an order. The high words decide unless they
// are equal.
func ordered(c library.Cond, then []unix.SockFilter) []unix.SockFilter {
	equal := when(opEqual, high(c.Value), lowWord(c, then))
	decided := unix.SockFilter{Code: opGreater, K: high(c.Value), Jt: uint8(len(equal) - len(then))}
	if c.Op == library.Less || c.Op == library.LessOrEqual {
		decided = unix.SockFilter{Code: opNotBelow, K: high(c.Value), Jf: decided.Jt}
	}
	return append(append(load(c, true), decided), equal...)
}

// lowWord is condition for the low words only, which is all that a 32-bit ABI has.
func lowWord(c library.Cond, then []unix.SockFilter) []unix.SockFilter {
	value := uint32(c.Value)
	test := load(c, false)
	switch c.Op {
	case library.Equal:
		return append(test, when(opEqual, value, then)...)
	case library.NotEqual:
		return append(test, unless(opEqual, value, then)...)
	case library.Greater:
		return append(test, when(opGreater, value, then)...)
	case library.GreaterOrEqual:
		return append(test, when(opNotBelow, value, then)...)
	case library.Less:
		return append(test, unless(opNotBelow, value, then)...)
	case library.LessOrEqual:
		return append(test, unless(opGreater, value, then)...)
	}
	test = append(test, unix.SockFilter{Code: opAnd, K: value})
	return append(test, when(opEqual, uint32(c.Two), then)...)
}

// load generates the load of a word of the argument that c is about.
func load(c library.Cond, highWord bool) []unix.SockFilter {
	offset := offsetArgs + 8*c.Arg
	if highWord != bigEndian() {
		offset += 4
	}
	return []unix.SockFilter{{Code: opLoad, K: offset}}
}

func bigEndian() bool { return binary.NativeEndian.Uint16([]byte{0, 1}) == 1 }

func high(v uint64) uint32 { return uint32(v >> 32) }
