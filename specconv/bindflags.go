// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// bindFlags sets m.AttrUnnamed, the flags that a bind does not take over from its source.
// If an option names a flag, the bind only has the flags that are named, as it is with
// MS_REMOUNT|MS_BIND of mount(2); if none does, it keeps all. The access-time flags are a
// group: a bind keeps all of them, unless noatime, relatime, strictatime or nodiratime is
// given.
//
// An option for the kernel's default (atime, diratime, nostrictatime) counts as a flag
// that is not named, rather than one to clear: then it is no error if the kernel refuses
// to clear the flag.
func bindFlags(m *plan.Mount, options []string) {
	const each = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOSYMFOLLOW
	const times = unix.MOUNT_ATTR__ATIME | unix.MOUNT_ATTR_NODIRATIME
	var unnamed, defaults uint64
	for _, name := range options {
		o, ok := findOption(name)
		if !ok || !isMountFlag(o) {
			continue
		}
		unnamed |= each
		switch o.name {
		case "noatime", "relatime", "strictatime":
			unnamed |= times
			defaults &^= unix.MOUNT_ATTR__ATIME
		case "nodiratime":
			unnamed |= times
			defaults &^= unix.MOUNT_ATTR_NODIRATIME
		case "atime", "nostrictatime":
			defaults |= unix.MOUNT_ATTR__ATIME
		case "diratime":
			defaults |= unix.MOUNT_ATTR_NODIRATIME
		}
	}
	m.AttrClear &^= defaults
	m.AttrUnnamed = (unnamed | defaults) &^ (m.AttrSet | m.AttrClear)
}

// isMountFlag reports whether an option stands for a flag of mount(2).
func isMountFlag(o mountOption) bool {
	switch o.kind {
	case optSuper, optSuperClear, optAttr, optAttrClear, optAtime:
		return true
	}
	return o.name == "norelatime"
}
