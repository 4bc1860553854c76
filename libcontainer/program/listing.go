// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// String lists the program, one operation per line, in the style of strace:
// number, operation with its arguments, the slot that it fills, and the field of
// config.json that asks for it. --plan prints this.
func (p *Program) String() string {
	var b strings.Builder
	for i := range p.Ops {
		line := fmt.Sprintf("%3d  %s", i, p.Ops[i])
		if field := p.Ops[i].Field; field != "" {
			line = fmt.Sprintf("%-72s  # %s", line, field)
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.String()
}

// String returns the operation as one line.
func (e Entry) String() string {
	c := e.code()
	var b strings.Builder
	b.WriteString(c.kind.String())
	b.WriteByte('(')
	sep := ""
	arg := func(s string) {
		b.WriteString(sep)
		b.WriteString(s)
		sep = ", "
	}
	out := c.opens()
	if c.a != NoSlot && !out {
		arg("#" + strconv.Itoa(int(c.a)))
	}
	if c.b != NoSlot {
		arg("#" + strconv.Itoa(int(c.b)))
	}
	for _, s := range slices.Concat(c.words, c.s) {
		arg(strconv.Quote(s))
	}
	last := len(c.n)
	for last > 0 && c.n[last-1] == 0 && !c.countsFromZero(last-1) {
		last--
	}
	for i, n := range c.n[:last] {
		arg(c.number(i, n))
	}
	if c.flags != 0 {
		arg("flags=" + c.flagText())
	}
	if n := len(c.data); n > 0 {
		arg(fmt.Sprintf("data[%d]", n))
	}
	b.WriteByte(')')
	if out {
		fmt.Fprintf(&b, " = #%d", c.a)
	}
	return b.String()
}

// opens reports whether the operation fills slot a.
func (c *code) opens() bool {
	switch c.kind {
	case kindFSMount, kindOpenTree, kindMount, kindAttr:
		return true
	case kindRemount:
		return c.b != NoSlot
	}
	return false
}

// countsFromZero reports whether n[i] is printed even if it and all numbers after
// it are zero: for ids, masks and values, zero is meaningful.
func (c *code) countsFromZero(i int) bool {
	switch c.kind {
	case kindSetID:
		return i < 2
	case kindUmask, kindBounding, kindAmbient, kindPersonality:
		return i < 1
	case kindCaps, kindRlimit:
		return true
	}
	return false
}

// number formats n[i] by name, or in the base that suits the operation.
func (c *code) number(i int, n uint64) string {
	switch c.kind {
	case kindPropagate:
		return bitNames(n, propagationNames[:])
	case kindFSMount, kindSetAttr, kindRemount:
		if i == 2 {
			return bitNames(n, propagationNames[:])
		}
		return bitNames(n, attributeNames[:])
	case kindSetID, kindStdio, kindExec, kindHook, kindSync, kindAwait, kindIDMap, kindFiles:
		return strconv.FormatUint(n, 10)
	case kindUmask, kindMknod:
		return fmt.Sprintf("%#o", n)
	case kindUnshare, kindSetns:
		return plan.NamespaceNames(n)
	case kindRlimit:
		if n == ^uint64(0) {
			return "unlimited"
		}
		return strconv.FormatUint(n, 10)
	}
	return fmt.Sprintf("%#x", n)
}

// Brief returns the operation's name and its main operand, for a trace. Of its
// strings only the first is shown, since the others may be an environment.
func (e Entry) Brief() string {
	switch o := e.Operation.(type) {
	case interface{ about() string }:
		return fmt.Sprintf("%s(%s)", KindOf(e), o.about())
	case Exec:
		return fmt.Sprintf("%s(%s)", kindExec, first(o.Args))
	}
	c := e.code()
	return fmt.Sprintf("%s(%s)", c.kind, first(slices.Concat(c.words, c.s)))
}
