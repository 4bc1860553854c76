package program

import "slices"

// Step is what an error message needs to know of an operation. The state
// directory has less of those that are left to do when create has ended.
type Step struct {
	Kind  Kind
	Field string
	Words []string // the operation's first strings
	Flags uint64   // its first number
	About string   // the name of one that only another version has
}

// Step is the description of operation i, [Program.At].
func (p *Program) Step(i int) Step {
	e := p.At(i)
	c := e.code()
	words := slices.Concat(c.words, c.s)
	if exec, ok := e.Operation.(Exec); ok {
		words = exec.Args // and no environment
	}
	return Step{Kind: c.kind, Field: e.Field, Words: words[:min(3, len(words))], Flags: c.n[0]}
}

// Entry is the operation that the step is of, with all that a message needs.
// It is none to be carried out.
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

// unknown is an operation of which no more is known than its kind.
type unknown struct {
	kind Kind
	name string
}

func (o unknown) code() code { return code{kind: o.kind} }

// What has the words for what fails before the first operation as well.
func (o unknown) what() string {
	switch {
	case o.kind != kindNone:
		return o.kind.String()
	case o.name != "":
		return o.name
	}
	return "run the launch program"
}

// KindNamed finds an operation by its name; 0 for one that only another version
// has.
func KindNamed(name string) Kind {
	for k := kindNone + 1; k < kinds; k++ {
		if kindNames[k] == name {
			return k
		}
	}
	return kindNone
}
