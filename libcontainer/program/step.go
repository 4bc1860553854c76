// SPDX-License-Identifier: Apache-2.0

package program

import "slices"

// Step is what an error message needs to know about an operation. For operations
// that create leaves to start, the state file keeps a part of it.
type Step struct {
	Kind  Kind
	Field string
	Words []string // the operation's first strings
	Flags uint64   // its first number
	About string   // name of an operation that only another version of skiff has
}

// Step returns the step of operation i, see [Program.At].
func (p *Program) Step(i int) Step {
	e := p.At(i)
	c := e.code()
	words := slices.Concat(c.words, c.s)
	if exec, ok := e.Operation.(Exec); ok {
		words = exec.Args // and no environment
	}
	return Step{Kind: c.kind, Field: e.Field, Words: words[:min(3, len(words))], Flags: c.n[0]}
}

// Entry returns the operation that the step was made from, as far as a message
// needs it. It must not be carried out.
func (s Step) Entry() Entry {
	return Entry{s.operation(), s.Field}
}

func (s Step) operation() Operation {
	word := first(s.Words)
	switch s.Kind {
	case kindListen:
		return Listen{}
	case kindHook:
		return Hook{Path: word}
	case kindKeepFDs:
		return KeepFDs{}
	case kindFiles:
		return Files{}
	case kindRlimit:
		return Rlimit{Name: word}
	case kindNoNewPrivs:
		return NoNewPrivs{}
	case kindSeccomp:
		return Seccomp{}
	case kindCaps:
		return Caps{}
	case kindExec:
		return Exec{Args: s.Words[:min(1, len(s.Words))]}
	}
	return unknown{s.Kind, s.About}
}

// unknown is an operation of which only the kind or the name is known.
type unknown struct {
	kind Kind
	name string
}

func (o unknown) code() code { return code{kind: o.kind} }

// what also has the words for a failure that comes before the first operation.
func (o unknown) what() string {
	switch {
	case o.kind != kindNone:
		return o.kind.String()
	case o.name != "":
		return o.name
	}
	return "run the launch program"
}

// KindNamed returns the kind with the given name; 0 if only another version of
// skiff has it.
func KindNamed(name string) Kind {
	for k := kindNone + 1; k < kinds; k++ {
		if kindNames[k] == name {
			return k
		}
	}
	return kindNone
}
