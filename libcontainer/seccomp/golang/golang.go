// SPDX-License-Identifier: Apache-2.0

//go:build cgo && cparts

// Package golang asks libseccomp through its Go package what the helper asks it in C. The
// tests of the compiler use it, and compare the helper with it.
package golang

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	libseccomp "github.com/seccomp/libseccomp-golang"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/library"
	"golang.org/x/sys/unix"
)

// apiLevel is the helper's API_LEVEL.
const apiLevel = 6

// lock is held while libseccomp is used: the API level is a variable of the process.
var lock sync.Mutex

// Version returns the version of libseccomp, such as "2.5.4".
func Version() string {
	major, minor, micro := libseccomp.GetLibraryVersion()
	return fmt.Sprintf("%d.%d.%d", major, minor, micro)
}

// Ask answers q.
func Ask(q *library.Question) (*library.Answer, error) {
	lock.Lock()
	defer lock.Unlock()
	if err := libseccomp.SetAPI(apiLevel); err != nil {
		return nil, refusal(library.SetAPI, 0, err)
	}
	native, err := libseccomp.GetNativeArch()
	if err != nil {
		return nil, err
	}
	a := &library.Answer{Numbers: []int32{}}
	for _, name := range q.Names {
		n, err := libseccomp.GetSyscallFromName(name)
		a.Numbers = append(a.Numbers, orNone(n, err))
	}
	for i := range q.Archs {
		arch, err := libseccomp.GetArchFromString(q.Archs[i].Name)
		if err != nil {
			return nil, err
		}
		if i == 0 && arch != native {
			return nil, refusal(library.AddArch, 0, unix.EDOM)
		}
		p, err := program(q, arch, i, a.Numbers)
		if err != nil {
			return nil, err
		}
		a.Archs = append(a.Archs, *p)
	}
	return a, nil
}

func refusal(step library.Step, index int, err error) error {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return err
	}
	return &library.Refusal{Step: step, Index: index, Err: errno}
}

func orNone(n libseccomp.ScmpSyscall, err error) int32 {
	if err != nil {
		return library.NoNumber
	}
	return int32(n)
}

func program(q *library.Question, arch libseccomp.ScmpArch, index int, native []int32) (*library.Program, error) {
	def, err := action(q.Default)
	if err != nil {
		return nil, err
	}
	filter, err := libseccomp.NewFilter(def)
	if err != nil {
		return nil, refusal(library.MakeFilter, 0, err)
	}
	defer filter.Release()
	if index > 0 {
		if err := filter.AddArch(arch); err != nil {
			return nil, refusal(library.AddArch, index, err)
		}
		if err := filter.RemoveArch(libseccomp.ArchNative); err != nil {
			return nil, refusal(library.AddArch, index, err)
		}
	}
	p := numbers(q, arch, q.Archs[index].First)
	has, err := addRules(filter, q, native, p.Numbers)
	if err != nil {
		return nil, err
	}
	if has >= library.TreeFrom {
		if err := filter.SetOptimize(2); err != nil {
			return nil, refusal(library.Optimise, 0, err)
		}
	}
	p.Filter, err = export(filter)
	return p, err
}

// numbers resolves the names.
func numbers(q *library.Question, arch libseccomp.ScmpArch, first uint32) *library.Program {
	p := &library.Program{Direct: library.NoNumber, Numbers: []int32{}}
	asked, multiplexed := make(map[string]bool), false
	for _, name := range q.Names {
		n, err := libseccomp.GetSyscallFromNameByArch(name, arch)
		p.Numbers = append(p.Numbers, orNone(n, err))
		asked[name] = true
		multiplexed = multiplexed || err == nil && library.IsMultiplexed(int32(n))
	}
	for n := first + library.TableSize; multiplexed && n > first; n-- {
		name, err := libseccomp.ScmpSyscall(n - 1).GetNameByArch(arch)
		if err == nil && asked[name] {
			p.Direct = int32(n - 1)
			break
		}
	}
	return p
}

func addRules(filter *libseccomp.ScmpFilter, q *library.Question, native, numbers []int32) (has int, err error) {
	for i, r := range q.Rules {
		nr, own := native[r.Name], numbers[r.Name]
		if nr == library.NoNumber || r.Plain && own >= 0 {
			continue
		}
		act, err := action(r.Action)
		if err != nil {
			return 0, err
		}
		var conds []libseccomp.ScmpCondition
		for _, c := range r.Conds {
			conds = append(conds, libseccomp.ScmpCondition{
				Argument: uint(c.Arg), Op: operators[c.Op], Operand1: c.Value, Operand2: c.Two,
			})
		}
		if err := filter.AddRuleConditional(libseccomp.ScmpSyscall(nr), act, conds); err != nil {
			return 0, refusal(library.AddRule, i, err)
		}
		if own >= 0 || library.IsMultiplexed(own) {
			has++
		}
	}
	return has, nil
}

var operators = [...]libseccomp.ScmpCompareOp{
	library.NotEqual: libseccomp.CompareNotEqual, library.Less: libseccomp.CompareLess,
	library.LessOrEqual: libseccomp.CompareLessOrEqual, library.Equal: libseccomp.CompareEqual,
	library.GreaterOrEqual: libseccomp.CompareGreaterEqual, library.Greater: libseccomp.CompareGreater,
	library.MaskedEqual: libseccomp.CompareMaskedEqual,
}

// action converts SECCOMP_RET_*.
func action(ret uint32) (libseccomp.ScmpAction, error) {
	switch data := int16(uint16(ret)); ret & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_KILL_PROCESS:
		return libseccomp.ActKillProcess, nil
	case unix.SECCOMP_RET_KILL_THREAD:
		return libseccomp.ActKillThread, nil
	case unix.SECCOMP_RET_TRAP:
		return libseccomp.ActTrap, nil
	case unix.SECCOMP_RET_ERRNO:
		return libseccomp.ActErrno.SetReturnCode(data), nil
	case unix.SECCOMP_RET_USER_NOTIF:
		return libseccomp.ActNotify, nil
	case unix.SECCOMP_RET_TRACE:
		return libseccomp.ActTrace.SetReturnCode(data), nil
	case unix.SECCOMP_RET_LOG:
		return libseccomp.ActLog, nil
	case unix.SECCOMP_RET_ALLOW:
		return libseccomp.ActAllow, nil
	}
	return libseccomp.ActInvalid, fmt.Errorf("unknown action %#x", ret)
}

// export has libseccomp generate the program. The output goes to a file and not to a pipe:
// libseccomp does not check for short writes, which a signal can cause on a pipe.
func export(filter *libseccomp.ScmpFilter) ([]byte, error) {
	fd, err := unix.MemfdCreate("seccomp-bpf", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("seccomp: memfd_create: %w", err)
	}
	file := os.NewFile(uintptr(fd), "seccomp-bpf")
	defer file.Close()
	if err := filter.ExportBPF(file); err != nil {
		return nil, refusal(library.Export, 0, err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(file)
}
