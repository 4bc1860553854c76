//go:build cgo && cparts

package compiler

import (
	libseccomp "github.com/seccomp/libseccomp-golang"
)

// A libseccomp that is older than the kernel does not know the kernel's newest
// calls by name. A rule for them that is left out is a hole where it would
// have denied the call, and a call that fails where it would have allowed it.
// So their numbers are here, whatever libseccomp this is built with. The tests
// compare them with those of golang.org/x/sys and of a newer libseccomp.

// firstCommon is the number from which on a call has the same number on every
// architecture, counted from where that architecture's begin. Where one does
// not have the call, the number is not used for another.
const firstCommon = 424

// common are the calls from firstCommon on, in the order of their numbers.
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

// private are calls below firstCommon that are younger than the oldest
// libseccomp that this can be built with, and that one architecture has.
var private = map[libseccomp.ScmpArch]map[string]uint32{
	libseccomp.ArchAMD64:   {"uretprobe": 335, "uprobe": 336},
	libseccomp.ArchX32:     {"uretprobe": x32Bit + 335, "uprobe": x32Bit + 336},
	libseccomp.ArchRISCV64: {"riscv_hwprobe": 258, "riscv_flush_icache": 259},
}

// commonNumbers is common by name.
var commonNumbers = func() map[string]uint32 {
	m := make(map[string]uint32, len(common))
	for i, name := range common {
		m[name] = firstCommon + uint32(i)
	}
	return m
}()

// ownNumber returns the number that the tables here have for a call.
func (a arch) ownNumber(name string) (uint32, bool) {
	if n, ok := commonNumbers[name]; ok {
		return a.first + n, true
	}
	n, ok := private[a.lib][name]
	return n, ok
}

// lacks returns the number of a call that the architecture has and libseccomp
// does not know there.
func (a arch) lacks(name string) (uint32, bool) {
	n, err := libseccomp.GetSyscallFromNameByArch(name, a.lib)
	if err == nil && (n >= 0 || isMultiplexed(n)) {
		return 0, false
	}
	return a.ownNumber(name)
}

// known reports whether any architecture has a call of this name.
func known(name string) bool {
	if _, err := libseccomp.GetSyscallFromName(name); err == nil {
		return true // of the architectures that lack it libseccomp knows that
	}
	if _, ok := commonNumbers[name]; ok {
		return true
	}
	for _, calls := range private {
		if _, ok := calls[name]; ok {
			return true
		}
	}
	return false
}
