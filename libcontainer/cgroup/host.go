// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

const unifiedMount = "/sys/fs/cgroup" // where cgroup v2 is mounted (cgroups(7))

// hierarchy is a mounted cgroup hierarchy, as this process sees it.
type hierarchy struct {
	names []string // v1 controllers or "name=systemd"; a single "" is the unified one
	mount string   // mount point
	own   string   // this process's cgroup in it, as a path below mount; "" if it is not below mount
}

func (h *hierarchy) unified() bool { return h.names[0] == "" }

// hierarchies returns the mounted hierarchies. With cgroup2 on /sys/fs/cgroup it is the
// unified one alone, and the mount table, which may be long, is not read.
func hierarchies() ([]hierarchy, error) {
	self, err := sys.ReadText("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	if Unified() {
		own, ok := memberOf(self, "")
		if !ok {
			return nil, errors.New("/proc/self/cgroup has no line for cgroup v2")
		}
		return []hierarchy{{names: []string{""}, mount: unifiedMount, own: pathBelow("/", own)}}, nil
	}
	table, err := sys.ReadMounts("self")
	if err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(mounted(self, table), hidden)
	if len(all) == 0 {
		return nil, fault.Hint(fault.New(fault.NoCgroup, "no cgroup file system is mounted"), "expected one on "+unifiedMount)
	}
	return all, nil
}

// Unified reports whether the host has cgroup v2 alone: cgroup2 is mounted on
// /sys/fs/cgroup.
func Unified() bool {
	var st unix.Statfs_t
	return unix.Statfs(unifiedMount, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
}

// hidden reports whether something else is mounted over the hierarchy: the mount table
// lists it anyway.
func hidden(h hierarchy) bool {
	var st unix.Statfs_t
	return unix.Statfs(h.mount, &st) != nil || !isCgroup(&st)
}

// memberOf returns the cgroup path of a controller ("" for v2) from text, the contents
// of a /proc/PID/cgroup file: lines of "id:controller,controller:path".
func memberOf(text, controller string) (string, bool) {
	for line := range strings.Lines(text) {
		names, path, ok := cgroupLine(line)
		if ok && slices.Contains(names, controller) {
			return path, true
		}
	}
	return "", false
}

// cgroupLine splits such a line. A v1 hierarchy that the kernel is removing has a line
// without controllers as well, "12::/": only that of hierarchy 0 is the one of v2.
func cgroupLine(line string) (names []string, path string, ok bool) {
	f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
	if len(f) < 3 || f[1] == "" && f[0] != "0" {
		return nil, "", false
	}
	return strings.Split(f[1], ","), f[2], true
}

// mounted returns, for each line of /proc/self/cgroup, its first mount in mountinfo.
// Hierarchies that are not mounted are left out.
func mounted(self, mountinfo string) []hierarchy {
	var all []hierarchy
	for line := range strings.Lines(self) {
		if names, path, ok := cgroupLine(line); ok {
			all = append(all, hierarchy{names: names, own: path})
		}
	}
	for m := range proc.Mounts(mountinfo) { // once: a host may have thousands
		if m.Type != "cgroup" && m.Type != "cgroup2" {
			continue
		}
		for i := range all {
			if h := &all[i]; h.mount == "" && isHierarchy(&m, h.names[0]) {
				h.mount, h.own = m.Point, pathBelow(m.Root, h.own)
			}
		}
	}
	return slices.DeleteFunc(all, func(h hierarchy) bool { return h.mount == "" })
}

// isHierarchy reports whether m is a mount of the controller's hierarchy; "" is v2.
func isHierarchy(m *proc.Mount, controller string) bool {
	if controller == "" {
		return m.Type == "cgroup2"
	}
	return m.Type == "cgroup" && slices.Contains(strings.Split(m.Options, ","), controller)
}

// pathBelow converts path, from /proc/PID/cgroup, to a path below a mount whose root is
// root. It returns "" if path is outside of the mount, or of this process's cgroup
// namespace: such paths begin with "/..".
func pathBelow(root, path string) string {
	if strings.HasPrefix(path, "/..") || strings.HasPrefix(root, "/..") {
		return ""
	}
	if root == "/" {
		return path
	}
	rest, ok := strings.CutPrefix(path, root)
	switch {
	case !ok || rest != "" && rest[0] != '/':
		return ""
	case rest == "":
		return "/"
	}
	return rest
}
