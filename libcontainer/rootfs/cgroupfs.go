// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"path"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// CgroupView describes what a mount of type cgroup shows: the cgroups of this host.
type CgroupView struct {
	Namespace   bool        // the container has a cgroup namespace of its own
	Unified     string      // cgroup v2: where the host has it mounted; empty on a v1 or hybrid host
	Hierarchies []Hierarchy // cgroup v1
}

// Hierarchy is one mounted cgroup v1 hierarchy.
type Hierarchy struct {
	Name    string   // directory name: "cpu,cpuacct" or "systemd"
	Options []string // mount options: "cpu", "cpuacct", or "none", "name=systemd"
	Path    string   // the container's directory on the host
}

// expandCgroups resolves mounts of type cgroup for this host, and leaves the
// others as they are.
//
// Where a user namespace is involved and the container has no cgroup namespace, these
// mounts are read-only: they are binds of the host's own, in which an ordinary user's
// container might have more rights than it should (CVE-2023-25809).
func expandCgroups(mounts []plan.Mount, on *Setting) []mount {
	out := make([]mount, 0, len(mounts))
	view := on.Cgroup
	for _, m := range mounts {
		ours := !m.Bind && !m.Remount && (m.Type == "cgroup" || m.Type == "cgroup2")
		if ours && !view.Namespace && (on.UserNS || on.Inside) {
			m.AttrSet |= unix.MOUNT_ATTR_RDONLY
			m.AttrClear &^= unix.MOUNT_ATTR_RDONLY
			m.RecAttrClear &^= unix.MOUNT_ATTR_RDONLY
		}
		switch {
		case !ours:
			out = append(out, mount{Mount: m})
		case view.Unified != "" || m.Type == "cgroup2":
			out = append(out, mount{Mount: unified(m, view)})
		default:
			out = append(out, hierarchies(m, view)...)
		}
	}
	return out
}

// unified shows cgroup v2: by a new mount inside a cgroup namespace, and otherwise by a
// bind of the host's whole hierarchy, which the paths in /proc/PID/cgroup then refer
// to. A new mount in the host's cgroup namespace would change the options that all
// mounts of cgroup v2 share, such as nsdelegate.
func unified(m plan.Mount, view CgroupView) plan.Mount {
	if view.Namespace || view.Unified == "" {
		m.Type, m.Source, m.Data = "cgroup2", "cgroup", nil
		return m
	}
	m.Type, m.Source, m.Bind, m.Data = "bind", view.Unified, true, nil
	return m
}

// hierarchies shows cgroup v1: a tmpfs with one directory per hierarchy, and a symlink
// for each controller of a hierarchy that has several.
func hierarchies(m plan.Mount, view CgroupView) []mount {
	top := m
	top.Type, top.Source = "tmpfs", "tmpfs"
	top.Data = []string{"mode=755"}
	out := []mount{{Mount: top}}
	for _, h := range view.Hierarchies {
		sub := m
		sub.Destination = path.Join(m.Destination, h.Name)
		sub.Type, sub.Source, sub.Data = "cgroup", "cgroup", h.Options
		if !view.Namespace {
			sub.Type, sub.Source, sub.Bind, sub.Data = "bind", h.Path, true, nil
		}
		sub.AttrSet &^= unix.MOUNT_ATTR__ATIME
		out = append(out, mount{Mount: sub})
		for _, c := range strings.Split(h.Name, ",") {
			if c != h.Name {
				out[0].links = append(out[0].links, [2]string{h.Name, "/" + c})
			}
		}
	}
	return out
}
