// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"path"
	"strconv"
)

// Full describes the limit on the number of processes that is reached, of the group or
// of a cgroup above it; "" if none is. The text is for an error message.
func (g *Group) Full() string {
	m := g.legacy("pids")
	if m == nil {
		m = g.unified()
	}
	if m == nil {
		return ""
	}
	for p := m.path; p != "/"; p = path.Dir(p) {
		d, err := openDir(p)
		if err != nil {
			return ""
		}
		limit, full := d.full()
		d.close()
		switch {
		case full && p == m.path:
			return fmt.Sprintf("the limit of %s processes (linux.resources.pids.limit) of the container", limit)
		case full:
			return fmt.Sprintf("the limit of %s processes (pids.max) of the cgroup %s, above the container's,", limit, p)
		}
	}
	return ""
}

// full reports whether the cgroup has as many processes as pids.max allows, and returns
// that limit.
func (d dir) full() (limit string, is bool) {
	limit, err := d.read("pids.max")
	if err != nil || limit == "max" {
		return "", false
	}
	now, err := d.read("pids.current")
	if err != nil {
		return "", false
	}
	return limit, reached(limit, now)
}

func reached(limit, now string) bool {
	l, err := strconv.ParseUint(limit, 10, 64)
	n, err2 := strconv.ParseUint(now, 10, 64)
	return err == nil && err2 == nil && n >= l
}
