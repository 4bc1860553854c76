package specconv

import (
	"path/filepath"
	"strconv"
	"strings"
)

// Annotations of crun that put a container's processes below the cgroup that
// cgroupsPath names.
const (
	// subgroupAnnotation names a cgroup below the systemd unit's, which the
	// container has in its place.
	subgroupAnnotation = "run.oci.systemd.subgroup"
	// delegateAnnotation names a cgroup below the container's, without limits of
	// its own, which is the container's to manage and the first that its
	// processes are in.
	delegateAnnotation = "run.oci.delegate-cgroup"
)

// subgroups reads both. Without systemd the first says nothing.
func (c *compiler) subgroups() {
	g := &c.out.Cgroup
	g.Delegate = c.subgroup(delegateAnnotation)
	if c.SystemdCgroup {
		g.Subgroup = c.subgroup(subgroupAnnotation)
	}
}

// subgroup is the path that an annotation has; empty for none.
func (c *compiler) subgroup(annotation string) string {
	value := c.spec.Annotations[annotation]
	if value == "" {
		return ""
	}
	p := filepath.Clean("/" + value)
	if p == "/" || strings.ContainsAny(value, "\x00\n") || leadsUp(value) {
		c.fault("annotations["+strconv.Quote(annotation)+"]", "%q: the name of a cgroup below is expected, without ..", value)
		return ""
	}
	return p[1:]
}

func leadsUp(p string) bool {
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}
