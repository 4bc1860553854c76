// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"

	"github.com/skiff-oci/skiff/libcontainer/fault"
)

// Under cgroup v2 a cgroup with processes cannot pass domain controllers on to cgroups
// below it (cgroup-v2.rst, "No Internal Process Constraint"). The host's root is
// exempt; the root of a cgroup namespace is not. Such a cgroup can pass on only the
// threaded controllers ([domainOnly]), which makes it a threaded domain; a cgroup below
// it takes processes only after it was made threaded ("Threads"). A runtime meets this
// when it is called in the root cgroup of a container.

// domainOnly reports whether a threaded cgroup cannot have the controller.
func domainOnly(controller string) bool {
	switch controller {
	case "cpu", "cpuset", "perf_event", "pids":
		return false
	}
	return true
}

// makeAllThreaded makes the group's cgroup d, and first those between it and the mount,
// threaded if they are below a threaded domain: otherwise no process can be put into
// them.
func (g *Group) makeAllThreaded(m *member, d dir) error {
	for p := range above(m.mount, m.path) {
		if p == m.mount {
			continue
		}
		if err := g.makeThreadedAt(p); err != nil {
			return err
		}
	}
	_, err := g.makeThreaded(d)
	return err
}

func (g *Group) makeThreadedAt(p string) error {
	d, err := openDir(p)
	if err != nil {
		return err
	}
	defer d.close()
	_, err = g.makeThreaded(d)
	return err
}

// makeThreaded makes the cgroup d threaded if it cannot be used otherwise ("domain
// invalid"), and reports whether it did.
func (g *Group) makeThreaded(d dir) (done bool, err error) {
	kind, err := d.read("cgroup.type")
	if err != nil || kind != "domain invalid" {
		return false, ignoreGone(err) // the host's root has no type
	}
	for c, field := range g.domainDemands() {
		return false, &FieldError{"linux.resources." + field, fault.Hint(inUse(
			"the %s controller is not available in %s, which can only be a threaded cgroup: a cgroup above it is threaded or contains processes", c, d.path),
			"set linux.cgroupsPath to another place")}
	}
	if err := d.write("cgroup.type", "threaded"); err != nil {
		return false, fmt.Errorf("%s is inside a threaded cgroup, and cannot be made threaded itself: %w", d.path, err)
	}
	g.threaded = true
	return true, nil
}
