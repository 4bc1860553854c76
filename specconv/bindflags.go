package specconv

import (
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// bindFlags says which flags a bind does not take over from its source. With
// one flag named, mount(2) gives a bind those alone that are named
// (MS_REMOUNT|MS_BIND); with none, all stay. Access times are a group of their
// own there: all are kept, or none is.
//
// What asks for the kernel's default (atime, diratime, nostrictatime) is no more
// than a flag left out: to be refused it is no error.
func bindFlags(m *plan.Mount, options []string) {
	const each = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOSYMFOLLOW
	const times = unix.MOUNT_ATTR__ATIME | unix.MOUNT_ATTR_NODIRATIME
	var unnamed, defaults uint64
	for _, name := range options {
		o, ok := findOption(name)
		if !ok || !ofMount(o) {
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

// ofMount reports whether an option is one of mount(2)'s flags.
func ofMount(o mountOption) bool {
	switch o.kind {
	case optSuper, optSuperClear, optAttr, optAttrClear, optAtime:
		return true
	}
	return o.name == "norelatime"
}
