// SPDX-License-Identifier: Apache-2.0

//go:build cgo && cparts

package compiler

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

func action(word specs.LinuxSeccompAction) (libseccomp.ScmpAction, error) {
	switch word {
	case specs.ActKill, specs.ActKillThread:
		return libseccomp.ActKillThread, nil
	case specs.ActKillProcess:
		return libseccomp.ActKillProcess, nil
	case specs.ActTrap:
		return libseccomp.ActTrap, nil
	case specs.ActErrno:
		return libseccomp.ActErrno, nil
	case specs.ActTrace:
		return libseccomp.ActTrace, nil
	case specs.ActAllow:
		return libseccomp.ActAllow, nil
	case specs.ActLog:
		return libseccomp.ActLog, nil
	case specs.ActNotify:
		return libseccomp.ActNotify, nil
	}
	return libseccomp.ActInvalid, fmt.Errorf("unknown seccomp action %q", word)
}

// withErrno returns an action with its errno, or for ActTrace any 16-bit value; the
// default is EPERM. An errno for any other action is an error, as the specification
// demands.
func withErrno(word specs.LinuxSeccompAction, ret *uint) (libseccomp.ScmpAction, error) {
	act, err := action(word)
	if err != nil {
		return act, err
	}
	code := uint(unix.EPERM)
	if ret != nil {
		code = *ret
	}
	switch act {
	case libseccomp.ActErrno:
		if code > maxErrno {
			return act, fmt.Errorf("errno must be at most %d, not %d", maxErrno, code)
		}
	case libseccomp.ActTrace:
		if code > unix.SECCOMP_RET_DATA {
			return act, fmt.Errorf("value for the tracer must be at most %d, not %d", unix.SECCOMP_RET_DATA, code)
		}
	default:
		if ret != nil {
			return act, fmt.Errorf("an errno cannot be set for action %s", word)
		}
	}
	return act.SetReturnCode(int16(uint16(code))), nil
}

// kernelAction returns an action with its errno in the kernel's form, SECCOMP_RET_*.
func kernelAction(act libseccomp.ScmpAction) uint32 {
	code := uint32(uint16(act.GetReturnCode()))
	switch act.SetReturnCode(0) {
	case libseccomp.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS
	case libseccomp.ActTrap:
		return unix.SECCOMP_RET_TRAP
	case libseccomp.ActErrno:
		return unix.SECCOMP_RET_ERRNO | code
	case libseccomp.ActNotify:
		return unix.SECCOMP_RET_USER_NOTIF
	case libseccomp.ActTrace:
		return unix.SECCOMP_RET_TRACE | code
	case libseccomp.ActLog:
		return unix.SECCOMP_RET_LOG
	case libseccomp.ActAllow:
		return unix.SECCOMP_RET_ALLOW
	}
	return unix.SECCOMP_RET_KILL_THREAD
}

// leniency returns 0 for an action that denies a call, 1 for one that lets another
// process decide, and 2 for one that permits it.
func leniency(act libseccomp.ScmpAction) int {
	switch kernelAction(act) & unix.SECCOMP_RET_ACTION_FULL {
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

func operator(word specs.LinuxSeccompOperator) (libseccomp.ScmpCompareOp, error) {
	switch word {
	case specs.OpNotEqual:
		return libseccomp.CompareNotEqual, nil
	case specs.OpLessThan:
		return libseccomp.CompareLess, nil
	case specs.OpLessEqual:
		return libseccomp.CompareLessOrEqual, nil
	case specs.OpEqualTo:
		return libseccomp.CompareEqual, nil
	case specs.OpGreaterEqual:
		return libseccomp.CompareGreaterEqual, nil
	case specs.OpGreaterThan:
		return libseccomp.CompareGreater, nil
	case specs.OpMaskedEqual:
		return libseccomp.CompareMaskedEqual, nil
	}
	return libseccomp.CompareInvalid, fmt.Errorf("unknown seccomp operator %q", word)
}
