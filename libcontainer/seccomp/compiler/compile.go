// SPDX-License-Identifier: Apache-2.0

//go:build cgo && cparts

package compiler

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
	"golang.org/x/sys/unix"
)

// binaryTreeFrom is the number of rules from which libseccomp arranges the program as a
// binary tree. When a program is loaded, the kernel runs it once per system call number
// (for its cache of always-allowed calls, 8e01b51a31a1), so a chain of some hundred
// comparisons costs time at every start, not only at every call. libseccomp up to 2.5.4
// makes a wrong tree of no rules.
const binaryTreeFrom = 32

// apiLevel is the API level that libseccomp is told the kernel has: every action (level
// 6, libseccomp 2.5). Otherwise libseccomp would probe the kernel. The program would
// then depend on the kernel, or on an outer filter that hides seccomp(2) from the
// probe, and could not be cached.
const apiLevel = 6

// library is locked while libseccomp is used: the API level is a variable of the
// process, and libseccomp reads it in each call.
var library sync.Mutex

// compiler builds one libseccomp filter.
type compiler struct {
	filter *libseccomp.ScmpFilter
	def    libseccomp.ScmpAction // action if no rule matches
	archs  []arch                // the native one first
	rules  int                   // number of rules that libseccomp has got
	all    []rule                // rules of all calls: libseccomp does not know some calls on some architectures
	notes  []string              // warnings
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
func Compile(p *specs.LinuxSeccomp) (bpf.Filter, error) {
	library.Lock()
	defer library.Unlock()
	list, err := archs(p.Architectures)
	if err != nil {
		return bpf.Filter{}, err
	}
	c, err := newCompiler(p)
	if err != nil {
		return bpf.Filter{}, err
	}
	defer c.filter.Release()
	c.archs = list
	if err := c.addArchs(list, p.Architectures); err != nil {
		return bpf.Filter{}, err
	}
	for i := range p.Syscalls {
		if err := c.addEntry(&p.Syscalls[i], fmt.Sprintf("linux.seccomp.syscalls[%d]", i)); err != nil {
			return bpf.Filter{}, err
		}
	}
	body, err := c.export()
	if err != nil {
		return bpf.Filter{}, err
	}
	head, err := c.head(p)
	if err != nil {
		return bpf.Filter{}, err
	}
	prog, err := join(head, body)
	return bpf.Filter{Program: prog, Notes: c.notes}, err
}

// head returns the instructions that libseccomp cannot generate.
func (c *compiler) head(p *specs.LinuxSeccomp) ([]unix.SockFilter, error) {
	abis, err := newerThan(p, c.archs)
	if err != nil {
		return nil, err
	}
	addMissing(abis, c.archs, c.all)
	return head(abis), nil
}

func newCompiler(p *specs.LinuxSeccomp) (*compiler, error) {
	if err := libseccomp.SetAPI(apiLevel); err != nil {
		return nil, fmt.Errorf("seccomp: libseccomp 2.5 or newer is required: %w", err)
	}
	def, err := withErrno(p.DefaultAction, p.DefaultErrnoRet)
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp.defaultAction: %w", err)
	}
	filter, err := libseccomp.NewFilter(def)
	if err != nil {
		return nil, fmt.Errorf("seccomp: create a filter with the default action %s: %w", p.DefaultAction, err)
	}
	return &compiler{filter: filter, def: def}, nil
}

// addArchs adds the foreign architectures. The native one, list[0], is already in the
// filter.
func (c *compiler) addArchs(list []arch, words []specs.Arch) error {
	for _, a := range list[1:] {
		err := c.filter.AddArch(a.lib)
		if errors.Is(err, unix.EDOM) {
			err = errors.New("its byte order differs from this machine's")
		}
		if err != nil {
			return fmt.Errorf("linux.seccomp.architectures %v: add %v: %w", words, a.lib, err)
		}
	}
	return nil
}

// addEntry adds an object of linux.seccomp.syscalls. path is its JSON path.
func (c *compiler) addEntry(s *specs.LinuxSyscall, path string) error {
	act, err := withErrno(s.Action, s.ErrnoRet)
	if err != nil {
		return fmt.Errorf("%s.action: %w", path, err)
	}
	rules, err := conditions(s.Args)
	if err != nil {
		return fmt.Errorf("%s%w", path, err)
	}
	for i, name := range s.Names {
		at := fmt.Sprintf("%s.names[%d]", path, i)
		if known(name) {
			err = c.addName(at, name, act, rules)
		} else {
			err = c.unknown(at, name, act)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) addName(at, name string, act libseccomp.ScmpAction, rules [][]libseccomp.ScmpCondition) error {
	if act == c.def {
		return nil // libseccomp refuses rules that change nothing
	}
	for _, conds := range rules {
		c.all = append(c.all, rule{name: name, action: kernelAction(act), conds: conds})
	}
	nr, err := libseccomp.GetSyscallFromName(name)
	if err != nil {
		return nil // libseccomp does not know it: addMissing handles it
	}
	for _, conds := range rules {
		if err := c.filter.AddRuleConditional(nr, act, conds); err != nil {
			return fmt.Errorf("%s: %s: %w", at, name, err)
		}
		c.rules++
	}
	return nil
}

// unknown handles a name that no architecture has. If its rule is stricter than the
// default action, ignoring it would let through what the profile wants denied: a
// misspelled call, or one of a newer kernel. That is an error.
func (c *compiler) unknown(at, name string, act libseccomp.ScmpAction) error {
	if leniency(act) < leniency(c.def) {
		return fmt.Errorf("%s: unknown system call %.80q, which the filter could not deny: must be the name of a system call", at, name)
	}
	c.note("%s: unknown system call %.80q, whose rule has no effect", at, name)
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
func conditions(args []specs.LinuxSeccompArg) ([][]libseccomp.ScmpCondition, error) {
	var all []libseccomp.ScmpCondition
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
		all = append(all, libseccomp.ScmpCondition{
			Argument: arg.Index, Op: op, Operand1: arg.Value, Operand2: arg.ValueTwo,
		})
	}
	if !repeated {
		return [][]libseccomp.ScmpCondition{all}, nil
	}
	split := make([][]libseccomp.ScmpCondition, len(all))
	for i := range all {
		split[i] = all[i : i+1]
	}
	return split, nil
}

// export has libseccomp generate the program. The output goes to a memory file instead
// of a pipe: libseccomp does not check for short writes, which a signal can cause on a
// pipe.
func (c *compiler) export() ([]byte, error) {
	if c.rules >= binaryTreeFrom {
		if err := c.filter.SetOptimize(2); err != nil {
			return nil, fmt.Errorf("seccomp: optimise the filter: %w", err)
		}
	}
	file, err := memfile("seccomp-bpf")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := c.filter.ExportBPF(file); err != nil {
		return nil, fmt.Errorf("seccomp: compile the filter: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("seccomp: read the compiled filter: %w", err)
	}
	prog, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("seccomp: read the compiled filter: %w", err)
	}
	return prog, nil
}

// memfile makes an anonymous file. It is not executable if the kernel has that flag
// (Linux 6.3), since vm.memfd_noexec=2 refuses others.
func memfile(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, fmt.Errorf("seccomp: memfd_create: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// join puts head before libseccomp's program, and checks what the kernel would refuse
// with EINVAL.
func join(head []unix.SockFilter, body []byte) ([]byte, error) {
	if !bpf.Plausible(body) {
		return nil, fmt.Errorf("seccomp: libseccomp returned an incomplete program of %d bytes", len(body))
	}
	prog := append(encode(head), body...)
	if n := len(prog) / bpf.InsnSize; n > bpf.MaxInsns {
		return nil, fmt.Errorf("linux.seccomp: the filter must have at most %d instructions, not %d", bpf.MaxInsns, n)
	}
	return prog, nil
}
