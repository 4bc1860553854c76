// SPDX-License-Identifier: Apache-2.0

// Package compiler converts config.json's linux.seccomp to a classic BPF program.
//
// libseccomp generates the program of each architecture from the rules that this package
// gives it, and knows the numbers of system calls. It is asked once (package library), by
// the helper, because it is C. This package puts before its programs what it cannot
// generate: rules for calls that it does not know (numbers.go), ENOSYS for system calls
// that are newer than the profile (enosys.go), and the choice among the programs (head.go).
package compiler

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/library"
	"golang.org/x/sys/unix"
)

// compiler makes one filter.
type compiler struct {
	profile  *specs.LinuxSeccomp
	archs    []arch // the native one first
	question library.Question
	indices  map[string]uint32 // of names in the question
	places   []place           // where the question's rules come from
	answer   *library.Answer
	notes    []string // warnings
}

// place is a name in the profile.
type place struct{ entry, name int }

func (p place) String() string {
	return fmt.Sprintf("linux.seccomp.syscalls[%d].names[%d]", p.entry, p.name)
}

// Compile returns the program of p: an array of struct sock_filter in the host's byte
// order. It depends on p, the machine's architecture and libseccomp's version, not on
// the running kernel.
//
// A system call that exists only on architectures which p does not have is left out
// without a note, as every runtime does, because profiles name calls of all kernels and
// machines. A name that no architecture has causes a note, or an error if the call
// would have been denied. Any other invalid word or value is an error with its JSON
// path. Package specconv has already refused those, and whatever breaks rules that are
// not libseccomp's (which calls an agent may be asked about), but what it overlooks
// must not become a filter.
func Compile(p *specs.LinuxSeccomp, ask func(*library.Question) (*library.Answer, error)) (f bpf.Filter, err error) {
	c := compiler{profile: p, indices: make(map[string]uint32, 512)}
	if c.archs, err = archs(p.Architectures); err != nil {
		return f, err
	}
	if err = c.prepare(); err != nil {
		return f, err
	}
	if c.answer, err = ask(&c.question); err != nil {
		return f, c.explain(err)
	}
	if err = c.checkNames(); err != nil {
		return f, err
	}
	prog, err := c.join()
	return bpf.Filter{Program: prog, Notes: c.notes}, err
}

// prepare fills in the question.
func (c *compiler) prepare() (err error) {
	for _, a := range c.archs {
		c.question.Archs = append(c.question.Archs, library.Arch{Name: a.name, First: a.first})
	}
	if c.question.Default, err = withErrno(c.profile.DefaultAction, c.profile.DefaultErrnoRet); err != nil {
		return fmt.Errorf("linux.seccomp.defaultAction: %w", err)
	}
	for i := range c.profile.Syscalls {
		if err := c.addEntry(i, &c.profile.Syscalls[i]); err != nil {
			return fmt.Errorf("linux.seccomp.syscalls[%d]%w", i, err)
		}
	}
	markPlain(c.question.Names, c.question.Rules)
	return nil
}

// addEntry adds the names and rules of an object of linux.seccomp.syscalls.
func (c *compiler) addEntry(entry int, s *specs.LinuxSyscall) error {
	act, err := withErrno(s.Action, s.ErrnoRet)
	if err != nil {
		return fmt.Errorf(".action: %w", err)
	}
	alternatives, err := conditions(s.Args)
	if err != nil {
		return err
	}
	for i, name := range s.Names {
		index, ok := c.indices[name]
		if !ok {
			index = uint32(len(c.question.Names))
			c.indices[name] = index
			if strings.Contains(name, "\x00") {
				name = "" // which is the name of no call either, and can be sent
			}
			c.question.Names = append(c.question.Names, name)
		}
		if act == c.question.Default {
			continue // libseccomp refuses rules that change nothing
		}
		for _, conds := range alternatives {
			c.question.Rules = append(c.question.Rules, library.Rule{Name: index, Action: act, Conds: conds})
			c.places = append(c.places, place{entry, i})
		}
	}
	return nil
}

// explain returns the error of a refusal with the JSON path of its cause.
func (c *compiler) explain(err error) error {
	var r *library.Refusal
	if !errors.As(err, &r) {
		return err
	}
	switch {
	case r.Step == library.AddArch && 0 <= r.Index && r.Index < len(c.archs):
		err = r.Err
		switch r.Err {
		case unix.EDOM:
			err = errors.New("its byte order differs from this machine's")
		case unix.ENOSYS:
			err = errors.New("it is not supported on this version of libseccomp")
		}
		return fmt.Errorf("linux.seccomp.architectures %v: add %s: %w", c.profile.Architectures, c.archs[r.Index].name, err)
	case r.Step == library.AddRule && 0 <= r.Index && r.Index < len(c.places):
		p := c.places[r.Index]
		return fmt.Errorf("%v: %s: %w", p, c.profile.Syscalls[p.entry].Names[p.name], r.Err)
	}
	return err
}

// checkNames looks for names that no architecture has.
func (c *compiler) checkNames() error {
	for i := range c.profile.Syscalls {
		s := &c.profile.Syscalls[i]
		for j, name := range s.Names {
			if known(name, c.answer.Numbers[c.indices[name]]) {
				continue
			}
			if err := c.unknown(place{i, j}, name, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// unknown handles a name that no architecture has. If its rule is stricter than the
// default action, ignoring it would let through what the profile wants denied: a
// misspelled call, or one of a newer kernel. That is an error.
func (c *compiler) unknown(at place, name string, s *specs.LinuxSyscall) error {
	act, err := action(s.Action)
	if err != nil {
		return err
	}
	if leniency(act) < leniency(c.question.Default) {
		return fmt.Errorf("%v: unknown system call %.80q, which the filter could not deny: must be the name of a system call", at, name)
	}
	c.note("%v: unknown system call %.80q, whose rule has no effect", at, name)
	return nil
}

// note adds a warning. The last one that fits stands for all further ones.
func (c *compiler) note(format string, args ...any) {
	switch len(c.notes) {
	case bpf.MaxNotes:
	case bpf.MaxNotes - 1:
		c.notes = append(c.notes, "linux.seccomp.syscalls: more unknown system calls, whose rules have no effect")
	default:
		c.notes = append(c.notes, fmt.Sprintf(format, args...))
	}
}

// conditions returns the alternatives of an entry's args, any of which may match: one
// with all conditions, or, if two conditions are about the same argument, one for each
// condition. libseccomp cannot combine two conditions on one argument with "and", and
// profiles rely on runc's interpretation ("personality is 0, or 8, or ...").
func conditions(args []specs.LinuxSeccompArg) ([][]library.Cond, error) {
	var all []library.Cond
	var seen [6]bool
	repeated := false
	for i, arg := range args {
		op, err := operator(arg.Op)
		if err != nil {
			return nil, fmt.Errorf(".args[%d].op: %w", i, err)
		}
		if arg.Index >= uint(len(seen)) {
			return nil, fmt.Errorf(".args[%d].index: must be between 0 and 5, not %d", i, arg.Index)
		}
		repeated = repeated || seen[arg.Index]
		seen[arg.Index] = true
		all = append(all, library.Cond{Arg: uint32(arg.Index), Op: op, Value: arg.Value, Two: arg.ValueTwo})
	}
	if !repeated {
		return [][]library.Cond{all}, nil
	}
	split := make([][]library.Cond, len(all))
	for i := range all {
		split[i] = all[i : i+1]
	}
	return split, nil
}

// loadNumber repairs a program of libseccomp that compares the number of a call without
// having loaded it: libseccomp 2.5.4 makes such programs of some rules for 32-bit x86 of
// which one is for a call that is made through socketcall(2) or ipc(2). The accumulator
// still has the architecture there, so that no rule applies. The missing load goes between
// the comparison of the architecture and the next one; only the former's jump passes it.
func loadNumber(prog []byte) ([]byte, error) {
	const at = 2 * bpf.InsnSize
	if len(prog) < 3*bpf.InsnSize {
		return prog, nil
	}
	code := func(i int) uint16 { return binary.NativeEndian.Uint16(prog[i*bpf.InsnSize:]) }
	past := prog[bpf.InsnSize+3] // the jump if the architecture differs
	switch {
	case code(0) != opLoad || code(1) != opEqual:
		return nil, errors.New("seccomp: libseccomp returned a program that does not begin with a comparison of the architecture")
	case code(2)&7 != unix.BPF_JMP || code(2) == opJump:
		return prog, nil
	case past == 255:
		return nil, errors.New("seccomp: libseccomp returned a program that does not load the number of the system call")
	}
	prog = slices.Insert(slices.Clone(prog), at, encode([]unix.SockFilter{{Code: opLoad, K: offsetNumber}})...)
	prog[bpf.InsnSize+3] = past + 1
	return prog, nil
}

// join puts the head before libseccomp's programs, and checks what the kernel would refuse
// with EINVAL.
func (c *compiler) join() ([]byte, error) {
	list := c.newerThan()
	c.addMissing(list)
	var body []byte
	for i := range list {
		part := c.answer.Archs[i].Filter
		if !bpf.Plausible(part) {
			return nil, fmt.Errorf("seccomp: libseccomp returned an incomplete program of %d bytes", len(part))
		}
		list[i].start = uint32(len(body) / bpf.InsnSize)
		part, err := loadNumber(part)
		if err != nil {
			return nil, err
		}
		body = append(body, part...)
		c.decide(&list[i], c.archs[i], &c.answer.Archs[i])
	}
	prog := append(encode(head(list)), body...)
	if n := len(prog) / bpf.InsnSize; n > bpf.MaxInsns {
		return nil, fmt.Errorf("linux.seccomp: the filter must have at most %d instructions, not %d", bpf.MaxInsns, n)
	}
	return prog, nil
}
