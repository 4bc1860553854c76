// SPDX-License-Identifier: Apache-2.0

package compiler

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/library"
	"golang.org/x/sys/unix"
)

// action returns an action in the kernel's form, SECCOMP_RET_*, without an errno.
func action(word specs.LinuxSeccompAction) (uint32, error) {
	switch word {
	case specs.ActKill, specs.ActKillThread:
		return unix.SECCOMP_RET_KILL_THREAD, nil
	case specs.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS, nil
	case specs.ActTrap:
		return unix.SECCOMP_RET_TRAP, nil
	case specs.ActErrno:
		return unix.SECCOMP_RET_ERRNO, nil
	case specs.ActTrace:
		return unix.SECCOMP_RET_TRACE, nil
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW, nil
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG, nil
	case specs.ActNotify:
		return unix.SECCOMP_RET_USER_NOTIF, nil
	}
	return 0, fmt.Errorf("unknown seccomp action %q", word)
}

// withErrno returns an action with its errno, or for ActTrace any 16-bit value; the
// default is EPERM. An errno for any other action is an error, as the specification
// demands.
func withErrno(word specs.LinuxSeccompAction, ret *uint) (uint32, error) {
	act, err := action(word)
	if err != nil {
		return act, err
	}
	code := uint(unix.EPERM)
	if ret != nil {
		code = *ret
	}
	switch act {
	case unix.SECCOMP_RET_ERRNO:
		if code > maxErrno {
			return act, fmt.Errorf("errno must be at most %d, not %d", maxErrno, code)
		}
	case unix.SECCOMP_RET_TRACE:
		if code > unix.SECCOMP_RET_DATA {
			return act, fmt.Errorf("value for the tracer must be at most %d, not %d", unix.SECCOMP_RET_DATA, code)
		}
	default:
		if ret != nil {
			return act, fmt.Errorf("an errno cannot be set for action %s", word)
		}
		return act, nil
	}
	return act | uint32(code), nil
}

// leniency returns 0 for an action that denies a call, 1 for one that lets another
// process decide, and 2 for one that permits it.
func leniency(act uint32) int {
	switch act & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_LOG:
		return 2
	case unix.SECCOMP_RET_TRACE, unix.SECCOMP_RET_USER_NOTIF:
		return 1
	}
	return 0
}

// maxErrno is MAX_ERRNO: the kernel reduces a larger errno of a filter to it
// (580c57f10768).
const maxErrno = 4095

func operator(word specs.LinuxSeccompOperator) (uint32, error) {
	switch word {
	case specs.OpNotEqual:
		return library.NotEqual, nil
	case specs.OpLessThan:
		return library.Less, nil
	case specs.OpLessEqual:
		return library.LessOrEqual, nil
	case specs.OpEqualTo:
		return library.Equal, nil
	case specs.OpGreaterEqual:
		return library.GreaterOrEqual, nil
	case specs.OpGreaterThan:
		return library.Greater, nil
	case specs.OpMaskedEqual:
		return library.MaskedEqual, nil
	}
	return 0, fmt.Errorf("unknown seccomp operator %q", word)
}
