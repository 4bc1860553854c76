//go:build cgo && cparts

package compiler

import (
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// A profile cannot name system calls that are younger than itself. They meet
// its default action, EPERM in most profiles, and EPERM is not what a C library
// expects of a kernel too old for a call: glibc and musl try the older call
// after ENOSYS only. So a new libc in a container with an old profile fails at
// clone3, faccessat2 and whatever comes next.
//
// The remedy is to answer as a kernel of the profile's age would: ENOSYS for
// numbers beyond the newest that the profile names, ABI by ABI, since numbers
// are handed out in order of age. Older calls that the profile leaves out were
// left out on purpose and keep the default action.
//
// libseccomp has no rule for ranges of numbers, so the answer is given by a
// head before its program. A number beyond all that the profile names cannot
// match any of its rules, so it does not matter that the head is first. The
// head jumps to the program's first instruction for everything else; the
// program loads what it needs itself and knows nothing of the head.

// newerThan returns for each architecture the numbers that are newer than p, or
// none where ENOSYS would change nothing or do harm.
func newerThan(p *specs.LinuxSeccomp, list []arch) ([]abi, error) {
	abis := make([]abi, len(list))
	names := mentioned(p)
	for i, a := range list {
		abis[i] = abi{audit: a.audit, end: a.end}
		if !restrictive(p) {
			continue
		}
		var err error
		if abis[i].last, abis[i].stub, err = newest(a, names); err != nil {
			return nil, err
		}
	}
	return abis, nil
}

// restrictive reports whether unknown calls fail by default, other than with
// ENOSYS. Permissive defaults let the kernel answer ENOSYS itself; a tracer is
// counted as permissive, since it answers in its own way.
func restrictive(p *specs.LinuxSeccomp) bool {
	switch p.DefaultAction {
	case specs.ActErrno:
		return p.DefaultErrnoRet == nil || *p.DefaultErrnoRet != uint(unix.ENOSYS)
	case specs.ActKill, specs.ActKillThread, specs.ActKillProcess, specs.ActTrap:
		return true
	}
	return false
}

// mentioned returns all names of a profile, those of rules without effect too:
// they also tell its age.
func mentioned(p *specs.LinuxSeccomp) map[string]bool {
	names := make(map[string]bool, 512)
	for i := range p.Syscalls {
		for _, name := range p.Syscalls[i].Names {
			names[name] = true
		}
	}
	return names
}

// newest returns the largest number that an ABI has for any of the names; ok
// is false where it has none of them, and then nothing is known of the
// profile's age.
func newest(a arch, names map[string]bool) (last uint32, ok bool, err error) {
	multiplexed := false
	for name := range names {
		n, err := libseccomp.GetSyscallFromNameByArch(name, a.lib)
		if own, ok := a.lacks(name); ok {
			n, err = libseccomp.ScmpSyscall(own), nil
		}
		switch {
		case errors.Is(err, libseccomp.ErrSyscallDoesNotExist):
		case err != nil:
			return 0, false, fmt.Errorf("seccomp: resolve %s for %v: %w", name, a.lib, err)
		case n < 0:
			multiplexed = multiplexed || isMultiplexed(n)
		case a.end == 0 || uint32(n) < a.end:
			last, ok = max(last, uint32(n)), true
		}
	}
	if multiplexed {
		return newestDirect(a, names, last, ok)
	}
	return last, ok, nil
}

// isMultiplexed reports whether libseccomp's pseudo number stands for a call
// that is made through socketcall(2) or ipc(2), and perhaps by a number of its
// own too. (Other negative numbers are calls that the ABI does not have.)
func isMultiplexed(n libseccomp.ScmpSyscall) bool { return -300 < n && n <= -100 }

// tableSize is above the length of any ABI's table of system calls.
const tableSize = 1024

// newestDirect looks for a number above last whose name is mentioned. By name,
// libseccomp gives a pseudo number for calls such as accept4 on x86, although
// 32-bit x86 got direct numbers for them (359 to 373, Linux 4.3) and rules for
// them match these; by number it knows them.
func newestDirect(a arch, names map[string]bool, last uint32, ok bool) (uint32, bool, error) {
	from := a.first
	if ok {
		from = last + 1
	}
	for n := a.first + tableSize; n > from; n-- {
		name, err := libseccomp.ScmpSyscall(n - 1).GetNameByArch(a.lib)
		if err == nil && names[name] {
			return n - 1, true, nil
		}
	}
	return last, ok, nil
}
