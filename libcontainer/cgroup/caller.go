// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"path"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// holdsCaller reports, by the names of the cgroups, whether this process is in d or
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

// holdsName reports whether the cgroup own is target or below it. The names are
// relative to this process's cgroup namespace, as in /proc/self/cgroup: one outside of
// it begins with a /.. for each level up. If target is outside, the names of the levels
// in between are not known.
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

// name returns the cgroup's name in the form of /proc/self/cgroup. The root of the
// mount that d is on tells what is above the mount point.
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

// nameBelow returns the name of the cgroup at p, given the id of the mount that it is
// on.
func nameBelow(mountinfo string, mount uint64, p string) (string, bool) {
	m, ok := proc.MountByID(mountinfo, mount)
	if !ok || !within(p, m.Point) {
		return "", false
	}
	if outside := within(m.Root, "/.."); outside {
		return m.Root, true // path.Join would drop the /..; that target is outside suffices
	}
	return path.Join(m.Root, strings.TrimPrefix(p, m.Point)), true
}
