// SPDX-License-Identifier: Apache-2.0

package compiler

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/library"
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

// newerThan returns, for each architecture, the numbers that are newer than the profile.
// It returns none if ENOSYS would change nothing, or would do harm.
func (c *compiler) newerThan() []abi {
	list := make([]abi, len(c.archs))
	for i, a := range c.archs {
		list[i] = abi{audit: a.audit, first: a.first, end: a.end}
		if restrictive(c.profile) {
			list[i].last, list[i].stub = a.newest(c.question.Names, &c.answer.Archs[i])
		}
	}
	return list
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

// newest returns the highest number that an ABI has for any of the names, including those
// of rules without effect, because they show the profile's age, too. If it has none of
// them, ok is false, and the profile's age is unknown.
//
// libseccomp translates names such as accept4 to pseudo numbers on 32-bit x86, although
// these calls have direct numbers there (359 to 373, Linux 4.3) that the rules match, too;
// but it translates the direct numbers to names.
func (a arch) newest(names []string, its *library.Program) (last uint32, ok bool) {
	consider := func(n uint32) {
		if a.end == 0 || n < a.end {
			last, ok = max(last, n), true
		}
	}
	for i, name := range names {
		if n, missing := a.missingNumber(name, its.Numbers[i]); missing {
			consider(n)
		} else if n := its.Numbers[i]; n >= 0 {
			consider(uint32(n))
		}
	}
	if its.Direct != library.NoNumber {
		consider(uint32(its.Direct))
	}
	return last, ok
}
