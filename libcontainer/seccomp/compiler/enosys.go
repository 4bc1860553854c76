// SPDX-License-Identifier: Apache-2.0

//go:build cgo && cparts

package compiler

import (
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// A profile cannot name system calls that are newer than itself. They get its default
// action, EPERM in most profiles. A C library does not expect EPERM from a kernel that
// is too old for a call: glibc and musl try the older call only after ENOSYS. So a new
// libc in a container with an old profile fails at clone3, faccessat2, and whatever
// comes next.
//
// The remedy is to answer as a kernel of the profile's age would: with ENOSYS for
// numbers above the highest that the profile names, separately for each ABI, since
// numbers are assigned in order of age. Older calls that the profile does not name were
// left out on purpose, and keep the default action.
//
// libseccomp has no rules for ranges of numbers, so a head before its program does
// this. A number above all that the profile names cannot match any of its rules, so it
// is right that the head comes first. For all other numbers the head jumps to the first
// instruction of the program, which loads what it needs itself.

// newerThan returns, for each architecture, the numbers that are newer than p. It
// returns none if ENOSYS would change nothing, or would do harm.
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

// restrictive reports whether unknown calls fail by default, with something other than
// ENOSYS. If the default permits them, the kernel itself returns ENOSYS. A tracer
// counts as permissive, since it answers in its own way.
func restrictive(p *specs.LinuxSeccomp) bool {
	switch p.DefaultAction {
	case specs.ActErrno:
		return p.DefaultErrnoRet == nil || *p.DefaultErrnoRet != uint(unix.ENOSYS)
	case specs.ActKill, specs.ActKillThread, specs.ActKillProcess, specs.ActTrap:
		return true
	}
	return false
}

// mentioned returns all names of a profile, including those of rules without effect,
// because they show its age, too.
func mentioned(p *specs.LinuxSeccomp) map[string]bool {
	names := make(map[string]bool, 512)
	for i := range p.Syscalls {
		for _, name := range p.Syscalls[i].Names {
			names[name] = true
		}
	}
	return names
}

// newest returns the highest number that an ABI has for any of the names. If it has
// none of them, ok is false, and the profile's age is unknown.
func newest(a arch, names map[string]bool) (last uint32, ok bool, err error) {
	multiplexed := false
	for name := range names {
		n, err := libseccomp.GetSyscallFromNameByArch(name, a.lib)
		if missing, ok := a.missingNumber(name); ok {
			n, err = libseccomp.ScmpSyscall(missing), nil
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

// isMultiplexed reports whether n is libseccomp's pseudo number of a call that is made
// through socketcall(2) or ipc(2), and perhaps also by a number of its own. Other
// negative numbers stand for calls that the ABI does not have.
func isMultiplexed(n libseccomp.ScmpSyscall) bool { return -300 < n && n <= -100 }

// tableSize is larger than any ABI's table of system calls.
const tableSize = 1024

// newestDirect looks for a number above last whose name is one of names. libseccomp
// translates names such as accept4 to pseudo numbers on 32-bit x86, although these
// calls have direct numbers there (359 to 373, Linux 4.3) that the rules match, too;
// but it translates the direct numbers to names.
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
