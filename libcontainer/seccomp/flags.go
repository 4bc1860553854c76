package seccomp

import (
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
	"golang.org/x/sys/unix"
)

// SupportedFlags returns those of [bpf.Flags] that the running kernel has.
func SupportedFlags() []string {
	var words []string
	for _, f := range bpf.Flags {
		if kernelHas(f.Bit) {
			words = append(words, f.Word)
		}
	}
	return words
}

// HasArch reports whether the libseccomp that filters are compiled with has an
// architecture of the specification: some are younger than the oldest one that
// can be built with.
func HasArch(word string) bool {
	var major, minor uint
	_, _ = fmt.Sscanf(LibraryVersion(), "%d.%d", &major, &minor)
	return slices.Contains(bpf.ArchsOf(major, minor), word)
}

// flag resolves a flag. All but one are older than the kernels that this
// runtime is for, so only that one is asked about.
func flag(word specs.LinuxSeccompFlag) (uint, error) {
	bit, ok := bpf.FlagBit(string(word))
	if !ok {
		return 0, fmt.Errorf("unknown seccomp flag %q", word)
	}
	if bit == unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV && !kernelHas(bit) {
		return 0, fmt.Errorf("%s: the kernel does not have it (Linux 5.19): %w", word, errors.ErrUnsupported)
	}
	return bit, nil
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
