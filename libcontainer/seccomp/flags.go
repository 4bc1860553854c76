// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
	"golang.org/x/sys/unix"
)

// SupportedFlags returns the words of those [bpf.Flags] that the running kernel
// supports.
func SupportedFlags() []string {
	var words []string
	for _, f := range bpf.Flags {
		if kernelHas(f.Bit) {
			words = append(words, f.Word)
		}
	}
	return words
}

// HasArch reports whether the libseccomp that compiles filters supports an architecture
// of the specification: some need a newer version than the oldest one that skiff can be
// built with.
func HasArch(word string) bool {
	var major, minor uint
	_, _ = fmt.Sscanf(LibraryVersion(), "%d.%d", &major, &minor)
	return slices.Contains(bpf.ArchsOf(major, minor), word)
}

// flag returns the bit of a flag. Only one flag is newer than the oldest kernel that
// skiff supports, so the kernel is asked only about that one.
func flag(word specs.LinuxSeccompFlag) (uint, error) {
	bit, ok := bpf.FlagBit(string(word))
	if !ok {
		return 0, fmt.Errorf("unknown seccomp flag %q", word)
	}
	if bit == unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV && !kernelHas(bit) {
		return 0, fault.With(fault.NotSupported, fmt.Errorf("%s requires Linux 5.19 or newer: %w", word, errors.ErrUnsupported))
	}
	return bit, nil
}

// kernelHas asks the kernel by loading a program at a null pointer. The kernel checks
// the flags first, and returns EINVAL for unknown ones; then it reads the program, and
// returns EFAULT. If an outer filter refuses seccomp(2) itself, kernelHas returns true,
// so that loading the filter fails with the true errno.
func kernelHas(bit uint) bool {
	if bit == unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV {
		bit |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(bit), 0)
	return errno != unix.EINVAL
}
