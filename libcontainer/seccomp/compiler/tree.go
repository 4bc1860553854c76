// SPDX-License-Identifier: Apache-2.0

package compiler

import (
	"cmp"
	"slices"

	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/library"
	"golang.org/x/sys/unix"
)

// Most rules of a profile have no conditions, and most of their calls have neighbouring
// numbers. libseccomp compares with each number. So these rules are no part of its
// program: the head has a binary tree of ranges of numbers instead. The program of an
// engine's default profile is a quarter as long then, and the kernel, which translates it
// and runs it for each number whenever a container starts, takes a fraction of the time.
// Numbers that are in no range are libseccomp's.

// segment is a range of numbers, up to the next segment, with one verdict.
type segment struct {
	first   uint32
	verdict unix.SockFilter
}

// plainCall is a call whose verdict depends on nothing but its number.
type plainCall struct{ number, action uint32 }

// markPlain marks the rules of calls whose rules have the same action, at least one of
// them without conditions. The calls that multiplex others are not among them, because
// the rules of those apply to them, too.
func markPlain(names []string, rules []library.Rule) {
	type state struct {
		seen, always, mixed bool
		action              uint32
	}
	of := make([]state, len(names))
	for _, r := range rules {
		s := &of[r.Name]
		s.mixed = s.mixed || s.seen && s.action != r.Action
		s.seen, s.action, s.always = true, r.Action, s.always || len(r.Conds) == 0
	}
	for i := range rules {
		r := &rules[i]
		s, name := of[r.Name], names[r.Name]
		r.Plain = s.always && !s.mixed && name != "socketcall" && name != "ipc"
	}
}

// addPlain adds to each ABI the calls that have plain rules and a number there.
func (c *compiler) addPlain(abis []abi) {
	for i := range abis {
		for _, r := range c.question.Rules {
			if n := c.answer.Archs[i].Numbers[r.Name]; r.Plain && n >= 0 {
				abis[i].plain = append(abis[i].plain, plainCall{uint32(n), r.Action})
			}
		}
	}
}

// segments divides all numbers. Between the calls there is rest.
func segments(calls []plainCall, rest unix.SockFilter) []segment {
	calls = slices.Clone(calls)
	// Of two names with one number, the first in the profile counts.
	slices.SortStableFunc(calls, func(x, y plainCall) int { return cmp.Compare(x.number, y.number) })
	calls = slices.CompactFunc(calls, func(x, y plainCall) bool { return x.number == y.number })
	var list []segment
	add := func(first uint32, verdict unix.SockFilter) {
		if len(list) == 0 || list[len(list)-1].verdict != verdict {
			list = append(list, segment{first, verdict})
		}
	}
	next := uint32(0)
	for _, call := range calls {
		if call.number > next {
			add(next, rest)
		}
		add(call.number, unix.SockFilter{Code: bpf.Return, K: call.action})
		next = call.number + 1
	}
	add(next, rest)
	return list
}

// tree generates the search for the accumulator's segment.
func tree(list []segment) []unix.SockFilter {
	if len(list) == 1 {
		return []unix.SockFilter{list[0].verdict}
	}
	mid := len(list) / 2
	return append(when(opNotBelow, list[mid].first, tree(list[mid:])), tree(list[:mid])...)
}
