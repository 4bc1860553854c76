// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

const pathField = "linux.cgroupsPath"

// resolve returns the cgroup that c asks for, as an absolute path below h's mount. As
// in runc, an absolute linux.cgroupsPath counts from the mount, and a relative one from
// the caller's own cgroup. On v2 it counts from the parent of that one, since a cgroup
// that holds processes cannot enable controllers for cgroups below it.
func resolve(c *Config, h *hierarchy) (string, error) {
	p := c.Path
	switch {
	case p == "" && c.ID == "":
		return "", &FieldError{pathField, invalid("must not be empty if there is no container id")}
	case p == "":
		p = "/" + c.ID
	case !path.IsAbs(p):
		base := h.own
		if base == "" {
			return "", &FieldError{pathField, invalid("%q must be an absolute path, as skiff's own cgroup is not visible below %s", p, h.mount)}
		}
		if h.unified() {
			base = path.Dir(base)
		}
		p = path.Join(base, path.Clean("/"+p))
	}
	p = path.Clean(p)
	if p == "/" || within(h.own, p) {
		return "", &FieldError{pathField, fmt.Errorf("%q in %s: %w", p, h.mount, ErrProtected)}
	}
	return p, nil
}

// findDelegated looks for a place where an ordinary user may make a cgroup, on a host
// with cgroup v2 alone: first the parent of the caller's own cgroup, since a cgroup
// that holds processes cannot enable controllers for those below it, then that cgroup
// itself. It sets the path of c to a cgroup there and reports whether it found one. If
// not, the group stays empty.
func (g *Group) findDelegated(c *Config, all []hierarchy) bool {
	for i := range all {
		h := &all[i]
		if !h.unified() || h.own == "" {
			continue
		}
		for _, base := range [...]string{path.Dir(h.own), h.own} {
			// To move a process takes write access to cgroup.procs of the common
			// ancestor of both cgroups (cgroups(7)), which base is.
			top := path.Join(h.mount, base)
			if len(all) == 1 && writable(top) && writable(top+"/cgroup.procs") {
				c.Path = path.Join(base, c.ID)
				return true
			}
		}
	}
	g.recordOutside(all)
	return false
}

func writable(path string) bool { return unix.Access(path, unix.W_OK) == nil }

// Outside lists the caller's cgroup in each hierarchy if the group is empty: the
// container's processes stay there.
func (g *Group) Outside() []Directory { return g.outside }

// within reports whether p is top or lies below it, comparing whole path
// components: /x/foobar is not within /x/foo.
func within(p, top string) bool {
	return p == top || top == "/" && strings.HasPrefix(p, "/") || strings.HasPrefix(p, top+"/")
}
