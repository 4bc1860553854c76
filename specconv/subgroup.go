// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"path/filepath"
	"strconv"
	"strings"
)

// Annotations of crun that put a container's processes in a cgroup below that of
// cgroupsPath.
const (
	// subgroupAnnotation names a cgroup below that of the systemd unit, which becomes the
	// container's cgroup.
	subgroupAnnotation = "run.oci.systemd.subgroup"
	// delegateAnnotation names a cgroup below the container's, which has no limits of its
	// own. The container manages it, and its processes start in it.
	delegateAnnotation = "run.oci.delegate-cgroup"
)

// subgroups reads both annotations. The first one has no effect without systemd.
func (c *compiler) subgroups() {
	g := &c.out.Cgroup
	g.Delegate = c.subgroup(delegateAnnotation)
	if c.SystemdCgroup {
		g.Subgroup = c.subgroup(subgroupAnnotation)
	}
}

// subgroup returns the relative path in an annotation. It is empty if there is none.
func (c *compiler) subgroup(annotation string) string {
	value := c.spec.Annotations[annotation]
	if value == "" {
		return ""
	}
	p := filepath.Clean("/" + value)
	if p == "/" || strings.ContainsAny(value, "\x00\n") || hasDotDot(value) {
		c.fault("annotations["+strconv.Quote(annotation)+"]", "%q must be the path of a child cgroup, without ..", value)
		return ""
	}
	return p[1:]
}

func hasDotDot(p string) bool {
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}
