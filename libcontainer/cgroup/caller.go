package cgroup

import (
	"path"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// holdsCaller tells by the names of the cgroups whether this process is in d or
// below it, and whether these names are known.
func (m *member) holdsCaller(d dir) (holds, known bool) {
	self, err := sys.ReadText("/proc/self/cgroup")
	if err != nil {
		return false, false
	}
	own, ok := memberOf(self, m.names[0])
	if !ok {
		return false, false
	}
	target, ok := d.name()
	if !ok {
		return false, false
	}
	return holdsName(target, own)
}

// holdsName tells whether the cgroup own is target or below it, for names as
// the kernel gives them to a process of a cgroup namespace: what is outside of
// it begins with a /.. for each level above. Of two that do the names in
// between are not known.
func holdsName(target, own string) (holds, known bool) {
	outside := func(name string) bool { return within(name, "/..") }
	switch {
	case outside(target):
		return false, false
	case outside(own):
		return false, true
	}
	return within(own, target), true
}

// name is the name of a cgroup, as the kernel gives it to this process: where
// its mount is says what is above the mount.
func (d dir) name() (string, bool) {
	var st unix.Statx_t
	if unix.Statx(d.fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st) != nil || st.Mask&unix.STATX_MNT_ID == 0 {
		return "", false
	}
	table, err := sys.ReadMounts("self")
	if err != nil {
		return "", false
	}
	return nameBelow(table, st.Mnt_id, d.path)
}

// nameBelow is the name of the cgroup at path, which is on the mount with that
// id.
func nameBelow(mountinfo string, mount uint64, p string) (string, bool) {
	m, ok := proc.MountByID(mountinfo, mount)
	if !ok || !within(p, m.Point) {
		return "", false
	}
	if outside := within(m.Root, "/.."); outside {
		return m.Root, true // and what is below it; it cannot be cleaned
	}
	return path.Join(m.Root, strings.TrimPrefix(p, m.Point)), true
}
