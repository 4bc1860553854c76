// SPDX-License-Identifier: Apache-2.0

package compiler

import (
	"slices"

	"github.com/skiff-oci/skiff/libcontainer/seccomp/library"
)

// A libseccomp that is older than the kernel does not know the kernel's newest calls by
// name. Leaving out a rule for such a call would be a hole if the rule denies it, and a
// needless failure if the rule allows it. So their numbers are here, whatever version
// of libseccomp is used. The tests compare them with those of golang.org/x/sys and of a
// newer libseccomp.

// firstCommon is the number from which on calls have the same number on every
// architecture, relative to the architecture's first. If an architecture does not have
// the call, it does not use the number for another.
const firstCommon = 424

// common lists the calls from firstCommon on, in the order of their numbers.
var common = [...]string{
	"pidfd_send_signal", "io_uring_setup", "io_uring_enter", "io_uring_register", "open_tree",
	"move_mount", "fsopen", "fsconfig", "fsmount", "fspick",
	"pidfd_open", "clone3", "close_range", "openat2", "pidfd_getfd",
	"faccessat2", "process_madvise", "epoll_pwait2", "mount_setattr", "quotactl_fd",
	"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "memfd_secret", "process_mrelease",
	"futex_waitv", "set_mempolicy_home_node", "cachestat", "fchmodat2", "map_shadow_stack",
	"futex_wake", "futex_wait", "futex_requeue", "statmount", "listmount",
	"lsm_get_self_attr", "lsm_set_self_attr", "lsm_list_modules", "mseal", "setxattrat",
	"getxattrat", "listxattrat", "removexattrat", "open_tree_attr", "file_getattr",
	"file_setattr", "listns", "rseq_slice_yield",
}

// private lists calls below firstCommon that exist on some architectures only and are
// newer than the oldest supported libseccomp.
var private = [...]struct {
	arch, name string
	number     uint32
}{
	{"x86_64", "uretprobe", 335},
	{"x86_64", "uprobe", 336},
	{"x32", "uretprobe", x32Bit + 335},
	{"x32", "uprobe", x32Bit + 336},
	{"riscv64", "riscv_hwprobe", 258},
	{"riscv64", "riscv_flush_icache", 259},
}

// privateNumber returns the number of a private call of an architecture.
func privateNumber(arch, name string) (uint32, bool) {
	for _, p := range private {
		if p.arch == arch && p.name == name {
			return p.number, true
		}
	}
	return 0, false
}

// commonNumber returns the number of a common call, relative to the architecture's first.
func commonNumber(name string) (uint32, bool) {
	i := slices.Index(common[:], name)
	return firstCommon + uint32(i), i >= 0
}

// tableNumber returns the number that the tables in this file have for a call.
func (a arch) tableNumber(name string) (uint32, bool) {
	if n, ok := commonNumber(name); ok {
		return a.first + n, true
	}
	return privateNumber(a.name, name)
}

// missingNumber returns the number of a call that the architecture has and libseccomp,
// which says own, does not know there; ok is false for any other call.
func (a arch) missingNumber(name string, own int32) (_ uint32, ok bool) {
	if own >= 0 || library.IsMultiplexed(own) {
		return 0, false
	}
	return a.tableNumber(name)
}

// known reports whether any architecture has a call of this name, whose number here is
// own for libseccomp: that resolves names that only other architectures have, too.
func known(name string, own int32) bool {
	if own != library.NoNumber {
		return true
	}
	if _, ok := commonNumber(name); ok {
		return true
	}
	for _, p := range private {
		if p.name == name {
			return true
		}
	}
	return false
}
