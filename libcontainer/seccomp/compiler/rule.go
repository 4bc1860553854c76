// SPDX-License-Identifier: Apache-2.0

//go:build cgo && cparts

package compiler

import (
	"encoding/binary"

	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// rule is a rule of one call: the action if all conditions hold. It is used if
// libseccomp does not know the call.
type rule struct {
	name   string
	action uint32 // SECCOMP_RET_*
	conds  []libseccomp.ScmpCondition
}

// ruleBody generates the rules of one call. As in libseccomp, a rule without conditions
// has precedence, and otherwise the first one that matches.
func ruleBody(rules []rule, wide bool) []unix.SockFilter {
	var body []unix.SockFilter
	for _, r := range rules {
		verdict := []unix.SockFilter{{Code: opReturn, K: r.action}}
		if len(r.conds) == 0 {
			return verdict
		}
		for _, c := range r.conds {
			verdict = condition(c, wide, verdict)
		}
		body = append(body, verdict...)
	}
	return append(body, exit)
}

// condition generates then after a test that skips it unless c holds. then must be
// short: a few instructions.
func condition(c libseccomp.ScmpCondition, wide bool, then []unix.SockFilter) []unix.SockFilter {
	if !wide {
		return lowWord(c, then)
	}
	switch c.Op {
	case libseccomp.CompareEqual:
		return append(load(c, true), when(opEqual, high(c.Operand1), lowWord(c, then))...)
	case libseccomp.CompareMaskedEqual:
		low := when(opEqual, high(c.Operand2), lowWord(c, then))
		return append(load(c, true), append([]unix.SockFilter{{Code: opAnd, K: high(c.Operand1)}}, low...)...)
	case libseccomp.CompareNotEqual:
		low := lowWord(c, then)
		other := unix.SockFilter{Code: opEqual, K: high(c.Operand1), Jf: uint8(len(low) - len(then))}
		return append(append(load(c, true), other), low...)
	}
	return ordered(c, then)
}

// ordered is condition for the operators of an order. The high words decide unless they
// are equal.
func ordered(c libseccomp.ScmpCondition, then []unix.SockFilter) []unix.SockFilter {
	equal := when(opEqual, high(c.Operand1), lowWord(c, then))
	decided := unix.SockFilter{Code: opGreater, K: high(c.Operand1), Jt: uint8(len(equal) - len(then))}
	if c.Op == libseccomp.CompareLess || c.Op == libseccomp.CompareLessOrEqual {
		decided = unix.SockFilter{Code: opNotBelow, K: high(c.Operand1), Jf: decided.Jt}
	}
	return append(append(load(c, true), decided), equal...)
}

// lowWord is condition for the low words only, which is all that a 32-bit ABI has.
func lowWord(c libseccomp.ScmpCondition, then []unix.SockFilter) []unix.SockFilter {
	value := uint32(c.Operand1)
	test := load(c, false)
	switch c.Op {
	case libseccomp.CompareEqual:
		return append(test, when(opEqual, value, then)...)
	case libseccomp.CompareNotEqual:
		return append(test, unless(opEqual, value, then)...)
	case libseccomp.CompareGreater:
		return append(test, when(opGreater, value, then)...)
	case libseccomp.CompareGreaterEqual:
		return append(test, when(opNotBelow, value, then)...)
	case libseccomp.CompareLess:
		return append(test, unless(opNotBelow, value, then)...)
	case libseccomp.CompareLessOrEqual:
		return append(test, unless(opGreater, value, then)...)
	}
	test = append(test, unix.SockFilter{Code: opAnd, K: value})
	return append(test, when(opEqual, uint32(c.Operand2), then)...)
}

// load generates the load of a word of the argument that c is about.
func load(c libseccomp.ScmpCondition, highWord bool) []unix.SockFilter {
	offset := offsetArgs + 8*uint32(c.Argument)
	if highWord != bigEndian {
		offset += 4
	}
	return []unix.SockFilter{{Code: opLoad, K: offset}}
}

var bigEndian = binary.NativeEndian.Uint16([]byte{0, 1}) == 1

func high(v uint64) uint32 { return uint32(v >> 32) }
