package cgroup

import "fmt"

// A cgroup v2 whose own processes compete with the cgroups below it is a domain
// for threads: "no internal processes" is the rule for all but the host's root,
// and the root of a cgroup namespace is none. Below it there are threaded cgroups
// alone, which have but a few controllers. That is what a runtime meets that is
// called in the root of a container.

// domainOnly reports whether no threaded cgroup can have the controller.
func domainOnly(controller string) bool {
	switch controller {
	case "cpu", "cpuset", "perf_event", "pids":
		return false
	}
	return true
}

// followThreads makes the group's cgroup d threaded if it lies below a threaded
// one: no process can be put into it as it is. So are those between, first.
func (g *Group) followThreads(m *member, d dir) error {
	for p := range above(m.mount, m.path) {
		if p == m.mount {
			continue
		}
		if err := g.followAt(p); err != nil {
			return err
		}
	}
	_, err := g.follow(d)
	return err
}

func (g *Group) followAt(p string) error {
	d, err := openDir(p)
	if err != nil {
		return err
	}
	defer d.close()
	_, err = g.follow(d)
	return err
}

// follow makes a cgroup threaded that can be nothing else, and tells whether it
// did.
func (g *Group) follow(d dir) (done bool, err error) {
	kind, err := d.read("cgroup.type")
	if err != nil || kind != "domain invalid" {
		return false, notGone(err) // the host's root has no type
	}
	for c, field := range g.domainDemands() {
		return false, &FieldError{"linux.resources." + field, fmt.Errorf(
			"needs the %s controller, which no threaded cgroup has, and %s can be no other: it lies below a threaded one, or one with processes in it (name a linux.cgroupsPath elsewhere)",
			c, d.path)}
	}
	if err := d.write("cgroup.type", "threaded"); err != nil {
		return false, fmt.Errorf("%s: lies below a threaded cgroup, and cannot be one: %w", d.path, err)
	}
	g.threaded = true
	return true, nil
}
