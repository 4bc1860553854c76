package cgroup

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

const unifiedMount = "/sys/fs/cgroup" // where cgroup v2 is mounted (cgroups(7))

// hierarchy is a mounted cgroup hierarchy as this process sees it.
type hierarchy struct {
	names []string // v1 controllers or "name=systemd"; a single "" is the unified one
	mount string   // mount point
	own   string   // our own cgroup in it, as a path below mount; "" if it is not below mount
}

func (h *hierarchy) unified() bool { return h.names[0] == "" }

// hierarchies finds what is mounted. A host with cgroup2 on /sys/fs/cgroup is
// a unified one, and needs no look at the mount table, which may be long.
func hierarchies() ([]hierarchy, error) {
	self, err := sys.ReadText("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	if Unified() {
		own, ok := memberOf(self, "")
		if !ok {
			return nil, errors.New("/proc/self/cgroup: no line of cgroup v2")
		}
		return []hierarchy{{names: []string{""}, mount: unifiedMount, own: below("/", own)}}, nil
	}
	table, err := sys.ReadMounts("self")
	if err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(mounted(self, table), hidden)
	if len(all) == 0 {
		return nil, fmt.Errorf("no cgroup file system is mounted (expected one on %s)", unifiedMount)
	}
	return all, nil
}

// Unified reports whether the host is a unified one.
func Unified() bool {
	var st unix.Statfs_t
	return unix.Statfs(unifiedMount, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
}

// hidden tells that something else is mounted over the hierarchy: the mount
// table lists it all the same.
func hidden(h hierarchy) bool {
	var st unix.Statfs_t
	return unix.Statfs(h.mount, &st) != nil || !isCgroup(&st)
}

// memberOf finds the cgroup path of controller ("" for v2) in the text of a
// /proc/PID/cgroup file: lines of "id:controller,controller:path".
func memberOf(text, controller string) (string, bool) {
	for line := range strings.Lines(text) {
		names, path, ok := cgroupLine(line)
		if ok && slices.Contains(names, controller) {
			return path, true
		}
	}
	return "", false
}

func cgroupLine(line string) (names []string, path string, ok bool) {
	f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
	if len(f) < 3 {
		return nil, "", false
	}
	return strings.Split(f[1], ","), f[2], true
}

// mounted pairs each line of /proc/self/cgroup with its first mount.
func mounted(self, mountinfo string) []hierarchy {
	var all []hierarchy
	for line := range strings.Lines(self) {
		names, path, ok := cgroupLine(line)
		if !ok {
			continue
		}
		for m := range proc.Mounts(mountinfo) {
			if isOf(&m, names[0]) {
				all = append(all, hierarchy{names: names, mount: m.Point, own: below(m.Root, path)})
				break
			}
		}
	}
	return all
}

// isOf reports whether a mount is the hierarchy with the controller, "" for v2.
func isOf(m *proc.Mount, controller string) bool {
	if controller == "" {
		return m.Type == "cgroup2"
	}
	return m.Type == "cgroup" && slices.Contains(strings.Split(m.Options, ","), controller)
}

// below gives path, as /proc/PID/cgroup has it, as a path below a mount of
// root; "" when it lies outside (another cgroup namespace shows such paths
// with leading "/..").
func below(root, path string) string {
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
