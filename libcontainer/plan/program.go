package plan

// Program is the bound program.
type Program struct{}

func (p *Program) String() string { return "" }
