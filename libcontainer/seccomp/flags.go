package seccomp

import (
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

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

// HasArch tells whether the libseccomp that filters are compiled with has an
// architecture of the specification: some are younger than the oldest one that
// can be built with.
func HasArch(word string) bool {
	switch word {
	case "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB":
		var major, minor int
		_, err := fmt.Sscanf(LibraryVersion(), "%d.%d", &major, &minor)
		return err == nil && (major > 2 || major == 2 && minor >= 6)
	}
	return true
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
