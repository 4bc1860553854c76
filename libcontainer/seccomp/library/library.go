// SPDX-License-Identifier: Apache-2.0

// Package library defines what the compiler of filters asks libseccomp, what libseccomp
// answers, and the form in which both are sent: the helper, which links libseccomp, is a
// program of its own, in C.
package library

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Question asks for the numbers of names, and for a program for each architecture.
type Question struct {
	Default uint32   // SECCOMP_RET_* if no rule matches
	Archs   []Arch   // the first is the machine's own
	Names   []string // of system calls
	Rules   []Rule
}

// Arch is an architecture.
type Arch struct {
	Name  string // libseccomp's
	First uint32 // its lowest number of a system call
}

// Rule is an action for one system call if all conditions hold.
type Rule struct {
	Name   uint32 // index in Question.Names
	Action uint32 // SECCOMP_RET_*
	Conds  []Cond
	Plain  bool // it is left out where the call has a number: the compiler sees to it
}

// Cond is a condition about an argument.
type Cond struct {
	Arg, Op    uint32 // Op is libseccomp's SCMP_CMP_*, one of those below
	Value, Two uint64
}

// The operators, in libseccomp's order. It compares the argument with Value; MaskedEqual
// compares the bits in Value with Two.
const (
	NotEqual = 1 + iota
	Less
	LessOrEqual
	Equal
	GreaterOrEqual
	Greater
	MaskedEqual
)

// NoNumber is in the place of a number if libseccomp does not know the name on any
// architecture. Other negative numbers are libseccomp's pseudo numbers.
const NoNumber = -1

// TreeFrom is the number of rules from which libseccomp arranges a program as a binary
// tree. When a program is loaded, the kernel runs it once per system call number (for its
// cache of always-allowed calls, 8e01b51a31a1), so a chain of some hundred comparisons
// costs time at every start, not only at every call. libseccomp up to 2.5.4 makes a wrong
// tree of no rules.
const TreeFrom = 32

// TableSize is larger than any architecture's table of system calls.
const TableSize = 1024

// Answer is libseccomp's.
type Answer struct {
	Numbers []int32 // by name: on the machine's own architecture
	Archs   []Program
}

// Program is the answer for one architecture.
type Program struct {
	Numbers []int32 // by name
	// Direct is the highest number whose name is one of those in the question, or
	// NoNumber. It is found only if the name of a call that is made through socketcall(2)
	// or ipc(2) is in the question: libseccomp translates that to a pseudo number even if
	// there is a direct one, too.
	Direct int32
	Filter []byte // an array of struct sock_filter, for this architecture alone
}

// IsMultiplexed reports whether n is libseccomp's pseudo number of a call that is made
// through socketcall(2) or ipc(2), and perhaps also by a number of its own. Other
// negative numbers stand for calls that the architecture does not have.
func IsMultiplexed(n int32) bool { return -300 < n && n <= -100 }

// Step is a step of the library's that can fail.
type Step uint32

// The steps. The architecture or rule of the steps that have one is in Refusal.Index.
const (
	done Step = iota
	SetAPI
	MakeFilter
	AddArch
	AddRule
	Optimise
	Export
)

// Refusal is the error of a step.
type Refusal struct {
	Step  Step
	Index int
	Err   unix.Errno
}

func (r *Refusal) Error() string {
	what := [...]string{SetAPI: "libseccomp 2.5 or newer is required", MakeFilter: "create a filter", AddArch: "add an architecture",
		AddRule: "add a rule", Optimise: "optimise the filter", Export: "compile the filter"}
	return fmt.Sprintf("seccomp: %s: %v", what[r.Step], r.Err)
}

func (r *Refusal) Unwrap() error { return r.Err }

// magic is the first word of both forms.
const magic = 0x736b0001

// Encode returns the form of q that is sent. All numbers have the host's byte order, and
// a string ends with a zero byte,
// so it must not contain any.
func (q *Question) Encode() []byte {
	b := make([]byte, 0, 64+24*len(q.Names)+64*len(q.Rules))
	b = number(b, magic, q.Default, uint32(len(q.Names)))
	for _, name := range q.Names {
		b = append(append(b, name...), 0)
	}
	b = number(b, uint32(len(q.Archs)))
	for _, a := range q.Archs {
		b = number(b, a.First)
		b = append(append(b, a.Name...), 0)
	}
	b = number(b, uint32(len(q.Rules)))
	for _, r := range q.Rules {
		plain := uint32(0)
		if r.Plain {
			plain = 1
		}
		b = number(b, r.Name, r.Action, plain, uint32(len(r.Conds)))
		for _, c := range r.Conds {
			b = number(b, c.Arg, c.Op)
			b = binary.NativeEndian.AppendUint64(b, c.Value)
			b = binary.NativeEndian.AppendUint64(b, c.Two)
		}
	}
	return b
}

func number(b []byte, list ...uint32) []byte {
	for _, n := range list {
		b = binary.NativeEndian.AppendUint32(b, n)
	}
	return b
}

var errForm = errors.New("the answer is incomplete")

// Decode returns the answer to q, of which b is the form that is sent: first the step
// that failed, its index and the errno, then all numbers, then the programs.
func (q *Question) Decode(b []byte) (*Answer, error) {
	r := reader{b}
	head := r.numbers(4)
	if r.b == nil || uint32(head[0]) != magic || head[1] < 0 || head[1] > int32(Export) {
		return nil, errForm
	}
	if Step(head[1]) != done {
		return nil, &Refusal{Step(head[1]), int(head[2]), unix.Errno(head[3])}
	}
	a := &Answer{Numbers: r.numbers(len(q.Names)), Archs: make([]Program, len(q.Archs))}
	sizes := make([]int, len(q.Archs))
	for i := range a.Archs {
		word := r.numbers(2)
		if r.b == nil {
			return nil, errForm
		}
		a.Archs[i].Direct, sizes[i] = word[0], int(word[1])
		a.Archs[i].Numbers = r.numbers(len(q.Names))
	}
	for i := range a.Archs {
		a.Archs[i].Filter = r.bytes(sizes[i])
	}
	if r.b == nil || len(r.b) > 0 {
		return nil, errForm
	}
	return a, nil
}

// reader takes what it is asked for from the beginning of b. If there is too little, b
// is nil from then on.
type reader struct{ b []byte }

func (r *reader) bytes(n int) []byte {
	if n < 0 || n > len(r.b) || r.b == nil {
		r.b = nil
		return nil
	}
	head := r.b[:n]
	r.b = r.b[n:]
	return head
}

func (r *reader) numbers(n int) []int32 {
	list := make([]int32, n)
	for i, b := 0, r.bytes(4*n); len(b) > 0; i, b = i+1, b[4:] {
		list[i] = int32(binary.NativeEndian.Uint32(b))
	}
	return list
}
