// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// namespaceRank returns the position of a type in the order in which namespaces are
// entered, or -1 for an unknown type.
func namespaceRank(t specs.LinuxNamespaceType) int {
	return slices.IndexFunc(plan.NamespaceTypes[:], func(n plan.NamespaceType) bool { return n.Type == t })
}

func (c *compiler) namespaces() {
	var seen [len(plan.NamespaceTypes)]bool
	for i, n := range c.linux.Namespaces {
		field := at("linux.namespaces", i)
		rank := namespaceRank(n.Type)
		switch {
		case rank < 0:
			c.fault(field+".type", "must be user, time, ipc, uts, network, pid, cgroup or mount, not %q", n.Type)
			continue
		case seen[rank]:
			c.fault(field+".type", "%q is listed twice", n.Type)
			continue
		case n.Path != "" && !filepath.IsAbs(n.Path):
			c.fault(field+".path", "%q must be an absolute path", n.Path)
		}
		seen[rank] = true
		c.out.Namespaces = append(c.out.Namespaces, plan.Namespace{Field: field, Type: n.Type, Flag: plan.NamespaceTypes[rank].Flag, Path: n.Path})
	}
	slices.SortStableFunc(c.out.Namespaces, func(a, b plan.Namespace) int { return namespaceRank(a.Type) - namespaceRank(b.Type) })
}

// timeOffsets compiles the offsets of a new time namespace (config-linux.md, "Offset for
// Time Namespace").
func (c *compiler) timeOffsets() {
	list := c.linux.TimeOffsets
	if len(list) == 0 {
		return
	}
	path, there := c.namespacePath(specs.TimeNamespace)
	switch {
	case !there:
		c.fault("linux.timeOffsets", "requires a time namespace in linux.namespaces")
	case path != "":
		c.fault("linux.timeOffsets", "cannot be set in an existing time namespace, which is joined by path")
	}
	clocks := make([]string, 0, len(list))
	for clock := range list {
		clocks = append(clocks, clock)
	}
	slices.Sort(clocks)
	for _, clock := range clocks {
		field := fmt.Sprintf("linux.timeOffsets[%q]", clock)
		o := list[clock]
		switch {
		case clock != "monotonic" && clock != "boottime":
			c.fault(field, "the clock must be monotonic or boottime")
		case o.Nanosecs >= 1e9:
			c.fault(field+".nanosecs", "must be less than 1000000000, not %d", o.Nanosecs)
		}
		c.out.TimeOffsets = append(c.out.TimeOffsets, plan.TimeOffset{Clock: clock, Secs: o.Secs, Nsecs: o.Nanosecs})
	}
}

// namespacePath returns the path of the namespace of type t. The path is empty for a new
// one. there is false if the container has no namespace of that type.
func (c *compiler) namespacePath(t specs.LinuxNamespaceType) (path string, there bool) {
	for i := range c.linux.Namespaces {
		if n := &c.linux.Namespaces[i]; n.Type == t {
			return n.Path, true
		}
	}
	return "", false
}

// has reports whether the container has a namespace of type t, new or joined.
func (c *compiler) has(t specs.LinuxNamespaceType) bool {
	for i := range c.linux.Namespaces {
		if c.linux.Namespaces[i].Type == t {
			return true
		}
	}
	return false
}
