package plan

// Step is what an error message needs to know of an operation. The state
// directory has less of those that are left to do when create has ended.
type Step struct {
	Kind  Kind
	Field string
	Words []string // the operation's first strings
	Flags uint64   // its first number
	About string   // more than the words say
}

// KindNamed finds an operation by its name; 0: there is none.
func KindNamed(name string) Kind {
	for k := Kind(1); k < kinds; k++ {
		if kindNames[k] == name {
			return k
		}
	}
	return 0
}

// Step is the description of operation i. An index that is out of range, which
// only a broken child sends, gives an empty one.
func (p *Program) Step(i int) Step {
	if i < 0 || i >= len(p.Ops) {
		return Step{}
	}
	op := &p.Ops[i]
	return Step{Kind: op.Kind, Field: op.Field, Words: op.S[:min(3, len(op.S))], Flags: op.N[0]}
}

// Word is the i-th string, empty if there are fewer.
func (s *Step) Word(i int) string {
	if i < len(s.Words) {
		return s.Words[i]
	}
	return ""
}
