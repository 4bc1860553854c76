// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
)

// maxMaps is the maximum number of lines of a map (user_namespaces(7), since Linux 4.15).
const maxMaps = 340

// userMaps checks the mappings of the user namespace. Engines give them for one that is
// joined, too: then they must be those that it has, which package idmap checks.
func (c *compiler) userMaps() {
	uid, gid := c.linux.UIDMappings, c.linux.GIDMappings
	path, there := c.namespacePath(specs.UserNamespace)
	switch {
	case !there && len(uid) > 0:
		c.fault("linux.uidMappings", "requires a user namespace in linux.namespaces")
	case !there && len(gid) > 0:
		c.fault("linux.gidMappings", "requires a user namespace in linux.namespaces")
	case there && path == "" && len(uid) == 0:
		c.fault("linux.uidMappings", "is required for a new user namespace")
	case there && path == "" && len(gid) == 0:
		c.fault("linux.gidMappings", "is required for a new user namespace")
	case there && !c.has(specs.MountNamespace):
		c.fault("linux.namespaces", "a user namespace requires a mount namespace, too: it has no privileges in the host's")
	case !there && c.Rootless:
		c.fault("linux.namespaces", "must include a user namespace, as skiff runs as an ordinary user (skiff spec --rootless makes such a config.json)")
	}
	c.maps(uid, "linux.uidMappings")
	c.maps(gid, "linux.gidMappings")
	c.out.UserMaps = c.knownMaps()
}

// knownMaps returns the mappings in config.json. When a user namespace is joined, podman
// only maps root to itself, since runtimes used to require a mapping: that says nothing
// about the namespace, so it counts as none.
func (c *compiler) knownMaps() plan.UserMaps {
	m := plan.UserMaps{UID: c.linux.UIDMappings, GID: c.linux.GIDMappings}
	if path, _ := c.namespacePath(specs.UserNamespace); path != "" && placeholder(m.UID) && placeholder(m.GID) {
		return plan.UserMaps{}
	}
	return m
}

func placeholder(list []specs.LinuxIDMapping) bool {
	return len(list) == 1 && list[0] == specs.LinuxIDMapping{ContainerID: 0, HostID: 0, Size: 1}
}

// maps checks a list of mappings: the ranges must be within 32 bits, and not overlap on
// either side.
func (c *compiler) maps(list []specs.LinuxIDMapping, field string) {
	if len(list) > maxMaps {
		c.fault(field, "must have at most %d entries, not %d", maxMaps, len(list))
	}
	for i, m := range list {
		switch {
		case m.Size == 0:
			c.fault(at(field, i)+".size", "must not be 0")
		case !fits(m.ContainerID, m.Size) || !fits(m.HostID, m.Size):
			c.fault(at(field, i), "the range must not exceed the largest id, 4294967295")
		}
		for _, o := range list[:min(i, maxMaps)] {
			if overlap(m.ContainerID, m.Size, o.ContainerID, o.Size) {
				c.fault(at(field, i)+".containerID", "overlaps with another entry")
				break
			}
			if overlap(m.HostID, m.Size, o.HostID, o.Size) {
				c.fault(at(field, i)+".hostID", "overlaps with another entry")
				break
			}
		}
	}
}

func fits(first, size uint32) bool { return uint64(first)+uint64(size) <= 1<<32 }

func overlap(a, sizeA, b, sizeB uint32) bool {
	return uint64(a) < uint64(b)+uint64(sizeB) && uint64(b) < uint64(a)+uint64(sizeA)
}

// mapped checks that an id of the process is mapped in the container's user namespace, if
// the mappings are known.
func (c *compiler) mapped(id uint32, list []specs.LinuxIDMapping, field, maps string) {
	if len(list) == 0 {
		return
	}
	if _, ok := proc.HostID(list, id); !ok {
		c.fault(field, "%d is not mapped in %s, which maps %s", id, maps, plan.IDRanges(list))
	}
}
