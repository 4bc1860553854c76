//go:build cgo

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

// binaryTreeFrom is the number of rules from which libseccomp is to order the
// program as a binary tree. The kernel walks the program once for each system
// call number when it is loaded (its cache of always-allowed calls,
// 8e01b51a31a1), so a chain of some hundred comparisons costs at every start,
// not only at each call. libseccomp up to 2.5.4 makes a wrong tree of no rules.
const binaryTreeFrom = 32

// apiLevel is what libseccomp is told that the kernel can do: every action
// (level 6, libseccomp 2.5). Left alone it probes, and then the program would
// depend on the kernel, or on an outer filter that hides seccomp(2) from the
// probe, and so could not be cached.
const apiLevel = 6

// library is held while libseccomp is used: the API level is a variable of the
// process, which it reads at each call.
var library sync.Mutex

// compiler fills one libseccomp filter.
type compiler struct {
	filter *libseccomp.ScmpFilter
	def    libseccomp.ScmpAction // what is done where no rule matches
	rules  int                   // added so far
}

// Compile makes the program of p: an array of struct sock_filter in the host's
// byte order. It depends on p, on the machine's architecture and on
// libseccomp's version, not on the running kernel.
//
// System calls that libseccomp does not know are left out, as every runtime
// does: profiles name calls of all kernels and machines. Any other word or
// value that cannot be honoured is an error with its JSON path.
func Compile(p *specs.LinuxSeccomp) ([]byte, error) {
	library.Lock()
	defer library.Unlock()
	list, err := archs(p.Architectures)
	if err != nil {
		return nil, err
	}
	c, err := newCompiler(p)
	if err != nil {
		return nil, err
	}
	defer c.filter.Release()
	if err := c.addArchs(list, p.Architectures); err != nil {
		return nil, err
	}
	for i := range p.Syscalls {
		if err := c.addEntry(&p.Syscalls[i]); err != nil {
			return nil, fmt.Errorf("linux.seccomp.syscalls[%d]%w", i, err)
		}
	}
	body, err := c.export()
	if err != nil {
		return nil, err
	}
	head, err := enosysHead(p, list)
	if err != nil {
		return nil, err
	}
	return join(head, body)
}

func newCompiler(p *specs.LinuxSeccomp) (*compiler, error) {
	if err := libseccomp.SetAPI(apiLevel); err != nil {
		return nil, fmt.Errorf("seccomp: libseccomp 2.5 or newer is needed: %w", err)
	}
	def, err := withErrno(p.DefaultAction, p.DefaultErrnoRet)
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp.defaultAction: %w", err)
	}
	if def == libseccomp.ActNotify {
		// The runtime's own calls after the load would wait for an agent that
		// is not there yet.
		return nil, errors.New("linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as default action")
	}
	filter, err := libseccomp.NewFilter(def)
	if err != nil {
		return nil, fmt.Errorf("seccomp: make a filter with the default action %s: %w", p.DefaultAction, err)
	}
	return &compiler{filter: filter, def: def}, nil
}

// addArchs adds the foreign architectures; list[0], the native one, is there.
func (c *compiler) addArchs(list []arch, words []specs.Arch) error {
	for _, a := range list[1:] {
		err := c.filter.AddArch(a.lib)
		if errors.Is(err, unix.EDOM) {
			err = errors.New("its byte order is not this machine's")
		}
		if err != nil {
			return fmt.Errorf("linux.seccomp.architectures %v: add %v: %w", words, a.lib, err)
		}
	}
	return nil
}

// addEntry adds one object of linux.seccomp.syscalls. Its errors begin with
// what follows the object's index in the JSON path.
func (c *compiler) addEntry(s *specs.LinuxSyscall) error {
	act, err := withErrno(s.Action, s.ErrnoRet)
	if err != nil {
		return fmt.Errorf(".action: %w", err)
	}
	rules, err := conditions(s.Args)
	if err != nil {
		return err
	}
	for i, name := range s.Names {
		if act == libseccomp.ActNotify && name == "write" {
			// runc's rule; profiles that break it are written for no runtime.
			return fmt.Errorf(".names[%d]: SCMP_ACT_NOTIFY cannot be used for the write syscall", i)
		}
		if err := c.addName(name, act, rules); err != nil {
			return fmt.Errorf(".names[%d]: %s: %w", i, name, err)
		}
	}
	return nil
}

func (c *compiler) addName(name string, act libseccomp.ScmpAction, rules [][]libseccomp.ScmpCondition) error {
	if act == c.def {
		return nil // libseccomp refuses rules that change nothing
	}
	nr, err := libseccomp.GetSyscallFromName(name)
	if err != nil {
		return nil // unknown to libseccomp
	}
	for _, rule := range rules {
		if err := c.filter.AddRuleConditional(nr, act, rule); err != nil {
			return err
		}
		c.rules++
	}
	return nil
}

// conditions gives the rules that an entry's args make: one with all of them,
// or, where two look at the same argument, one rule for each, of which any may
// match. libseccomp cannot express the "and" of two tests of one argument, and
// profiles count on runc's reading of it ("personality is 0, or 8, or ...").
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
			return nil, fmt.Errorf(".args[%d].index: %d is above 5: system calls have 6 arguments", i, arg.Index)
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

// export has libseccomp write the program. It goes through a memory file, not
// a pipe: libseccomp does not look for short writes, which a signal can cause
// on a pipe.
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

// memfile makes an anonymous file, not executable where the kernel can say so
// (6.3): vm.memfd_noexec=2 refuses it otherwise.
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

// join puts head before libseccomp's program and checks what the kernel would
// answer EINVAL for.
func join(head []unix.SockFilter, body []byte) ([]byte, error) {
	if !bpf.Plausible(body) {
		return nil, fmt.Errorf("seccomp: libseccomp wrote %d bytes, not a whole program", len(body))
	}
	prog := append(encode(head), body...)
	if n := len(prog) / bpf.InsnSize; n > bpf.MaxInsns {
		return nil, fmt.Errorf("linux.seccomp: the filter has %d instructions, the kernel takes %d", n, bpf.MaxInsns)
	}
	return prog, nil
}
