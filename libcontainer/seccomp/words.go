package seccomp

import (
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// Actions returns the actions that a profile may name.
func Actions() []string {
	return []string{
		"SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
		"SCMP_ACT_TRAP", "SCMP_ACT_ERRNO", "SCMP_ACT_TRACE",
		"SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY",
	}
}

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

// withErrno gives an action its errno (ERRNO, for a tracer also any 16-bit
// value); the default is EPERM. The specification wants an error where the
// action takes none.
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
			return act, fmt.Errorf("errno %d: the kernel returns none above %d", code, maxErrno)
		}
	case libseccomp.ActTrace:
		if code > unix.SECCOMP_RET_DATA {
			return act, fmt.Errorf("value %d for the tracer is above %d", code, unix.SECCOMP_RET_DATA)
		}
	default:
		if ret != nil {
			return act, fmt.Errorf("action %s takes no errno", word)
		}
	}
	return act.SetReturnCode(int16(uint16(code))), nil
}

// maxErrno is MAX_ERRNO, to which the kernel cuts a filter's errno (580c57f10768).
const maxErrno = 4095

// Operators returns the comparisons of arguments that a profile may name.
func Operators() []string {
	return []string{
		"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ",
		"SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ",
	}
}

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

// Flags returns the flags that a profile may name.
func Flags() []string {
	return []string{
		"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
		"SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
	}
}

// SupportedFlags returns those of [Flags] that the running kernel has.
func SupportedFlags() []string {
	var words []string
	for _, word := range Flags() {
		if bit, err := flagBit(word); err == nil && kernelHas(bit) {
			words = append(words, word)
		}
	}
	return words
}

// flag resolves a flag. All but one are older than the kernels that this
// runtime is for, so only that one is asked about.
func flag(word specs.LinuxSeccompFlag) (uint, error) {
	bit, err := flagBit(string(word))
	if err == nil && bit == unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV && !kernelHas(bit) {
		return 0, fmt.Errorf("%s: the kernel does not have it (Linux 5.19): %w", word, errors.ErrUnsupported)
	}
	return bit, err
}

func flagBit(word string) (uint, error) {
	switch word {
	case "SECCOMP_FILTER_FLAG_TSYNC":
		return unix.SECCOMP_FILTER_FLAG_TSYNC, nil
	case "SECCOMP_FILTER_FLAG_LOG":
		return unix.SECCOMP_FILTER_FLAG_LOG, nil
	case "SECCOMP_FILTER_FLAG_SPEC_ALLOW":
		return unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, nil
	case "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV":
		return unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, nil
	}
	return 0, fmt.Errorf("unknown seccomp flag %q", word)
}

// kernelHas asks with a null program: the kernel looks at the flags first,
// EINVAL for unknown ones, and at the pointer then, EFAULT. Where an outer
// filter refuses seccomp(2) itself the answer is yes, so that the error comes
// from the load, with its true errno.
func kernelHas(bit uint) bool {
	if bit == unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV {
		bit |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(bit), 0)
	return errno != unix.EINVAL
}
