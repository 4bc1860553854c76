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
// A number above all that have
// rules is libseccomp's.

// segment is a range of numbers, up to the next segment, with one verdict.
type segment struct {
	first   uint32
	verdict unix.SockFilter
}

// decided is the verdict for a number, which is less than 1<<31: a plain rule's action, or
// the exit if libseccomp has rules for it.
type decided struct {
	number  uint32
	verdict unix.SockFilter
}

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

// decide determines the verdicts of an ABI for the calls that have rules, and for numbers
// between these. The latter is the default action if all numbers are known for which
// libseccomp has rules.
func (c *compiler) decide(a *abi, arch arch, its *library.Program) {
	a.gap = unix.SockFilter{Code: bpf.Return, K: c.question.Default}
	for _, r := range c.question.Rules {
		n := its.Numbers[r.Name]
		missing, ok := arch.missingNumber(c.question.Names[r.Name], n)
		verdict := unix.SockFilter{Code: bpf.Return, K: r.Action}
		switch {
		case ok && r.Plain:
			a.decided = append(a.decided, decided{missing, verdict})
		case ok: // among a.calls
		case n >= 0 && r.Plain:
			a.decided = append(a.decided, decided{uint32(n), verdict})
		case n >= 0:
			a.decided = append(a.decided, decided{uint32(n), a.exit()})
		case library.IsMultiplexed(n) && !arch.direct:
			a.gap = a.exit()
		}
	}
}

// segments divides all numbers.
func (a *abi) segments() []segment {
	// Of two names with one number, the first in the profile counts.
	list := slices.Clone(a.decided)
	slices.SortStableFunc(list, func(x, y decided) int { return cmp.Compare(x.number, y.number) })
	list = slices.CompactFunc(list, func(x, y decided) bool { return x.number == y.number })
	if len(list) == 0 {
		return []segment{{0, a.exit()}}
	}
	var all []segment
	add := func(first uint32, verdict unix.SockFilter) {
		if len(all) == 0 || all[len(all)-1].verdict != verdict {
			all = append(all, segment{first, verdict})
		}
	}
	if a.first > 0 {
		add(0, a.exit())
	}
	next := a.first
	for _, d := range list {
		if d.number > next {
			add(next, a.gap)
		}
		add(d.number, d.verdict)
		next = d.number + 1
	}
	add(next, a.exit())
	return all
}

// tree generates the search for the accumulator's segment.
func tree(list []segment) []unix.SockFilter {
	s := search{last: len(list) - 1}
	s.add(list)
	// The offsets of conditional jumps have 8 bits.
	if prog := append(s.nodes, s.verdicts...); len(prog) <= 256 {
		return prog
	}
	mid := len(list) / 2
	return append(when(opNotBelow, list[mid].first, tree(list[mid:])), tree(list[:mid])...)
}

// search has the comparisons, of which the first is made first, and after the last of them
// the verdicts, each once.
type search struct {
	nodes, verdicts []unix.SockFilter
	last            int // number of comparisons
}

// add adds the comparisons for list, if it takes any, and returns the index of where to
// jump.
func (s *search) add(list []segment) int {
	if len(list) == 1 {
		i := slices.Index(s.verdicts, list[0].verdict)
		if i < 0 {
			i = len(s.verdicts)
			s.verdicts = append(s.verdicts, list[0].verdict)
		}
		return s.last + i
	}
	at, mid := len(s.nodes), len(list)/2
	s.nodes = append(s.nodes, unix.SockFilter{Code: opNotBelow, K: list[mid].first})
	s.nodes[at].Jf = uint8(s.add(list[:mid]) - at - 1)
	s.nodes[at].Jt = uint8(s.add(list[mid:]) - at - 1)
	return at
}
