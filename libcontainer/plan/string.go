package plan

import (
	"fmt"
	"strconv"
	"strings"
)

// String lists the program, one operation a line, as strace would show it:
// number, operation with its arguments, what it opens, and the config field
// that asked for it. It is what --plan prints.
func (p *Program) String() string {
	var b strings.Builder
	for i := range p.Ops {
		op := &p.Ops[i]
		line := fmt.Sprintf("%3d  %s", i, op)
		if op.Field != "" {
			line = fmt.Sprintf("%-72s  # %s", line, op.Field)
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.String()
}

// String is the operation in one line.
func (op *Op) String() string {
	var b strings.Builder
	b.WriteString(op.Kind.String())
	b.WriteByte('(')
	sep := ""
	arg := func(s string) {
		b.WriteString(sep)
		b.WriteString(s)
		sep = ", "
	}
	out := op.opens()
	if op.A != NoSlot && !out {
		arg("#" + strconv.Itoa(int(op.A)))
	}
	if op.B != NoSlot {
		arg("#" + strconv.Itoa(int(op.B)))
	}
	for _, s := range op.S {
		arg(strconv.Quote(s))
	}
	last := len(op.N)
	for last > 0 && op.N[last-1] == 0 && !op.countsFromZero(last-1) {
		last--
	}
	for _, n := range op.N[:last] {
		arg(op.number(n))
	}
	if op.Flags != 0 {
		arg("flags=" + strconv.FormatUint(uint64(op.Flags), 10))
	}
	if n := len(op.Data); n > 0 {
		arg(fmt.Sprintf("data[%d]", n))
	}
	b.WriteByte(')')
	if out {
		fmt.Fprintf(&b, " = #%d", op.A)
	}
	return b.String()
}

// opens tells that the operation fills slot A.
func (op *Op) opens() bool {
	switch op.Kind {
	case OpFsMount, OpOpenTree, OpMount, OpAttr:
		return true
	case OpRemount:
		return op.B != NoSlot
	}
	return false
}

// countsFromZero tells that a number is printed though it and all after it are
// zero: ids, masks and values, for which zero says something.
func (op *Op) countsFromZero(i int) bool {
	switch op.Kind {
	case OpSetID:
		return i < 2
	case OpUmask, OpBounding, OpAmbient, OpPersona:
		return i < 1
	case OpCaps, OpRlimit:
		return true
	}
	return false
}

// number prints a number in the base that suits the operation.
func (op *Op) number(n uint64) string {
	switch op.Kind {
	case OpSetID, OpStdio, OpExec, OpHook, OpSync, OpAwait, OpIDMap, OpFiles:
		return strconv.FormatUint(n, 10)
	case OpUmask, OpMknod:
		return fmt.Sprintf("%#o", n)
	case OpUnshare, OpSetns:
		return NamespaceNames(n)
	case OpRlimit:
		if n == ^uint64(0) {
			return "unlimited"
		}
		return strconv.FormatUint(n, 10)
	}
	return fmt.Sprintf("%#x", n)
}
