// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Foresee makes the directory of a cgroup that systemd will make later and then take as
// it is: for a mount of the cgroup, which needs the path before the unit exists. undo
// removes the directories that Foresee made, if they are empty.
func (g *Group) Foresee() (undo func(), err error) {
	made, err := mkdirAllMode(g.unified().path)
	undo = func() { removeEmpty(made) }
	if err != nil {
		undo()
		return nil, &FieldError{pathField, err}
	}
	return undo, nil
}

// Adopt prepares the cgroup that systemd has made at the group's path. It checks that
// process pid, if not 0, is in it.
func (g *Group) Adopt(pid int) error {
	m := g.unified()
	d, err := openDir(m.path)
	if gone(err) {
		err = fmt.Errorf("systemd did not create the cgroup where it was expected: %w", err)
	}
	if err == nil {
		defer d.close()
		err = g.adopt(m, d, pid)
	}
	if err != nil {
		return asPathError(err)
	}
	return nil
}

func (g *Group) adopt(m *member, d dir, pid int) error {
	if pid == 0 {
		g.Mark() // a slice may have existed before
	} else {
		pids, err := d.pids()
		if err != nil {
			return err
		}
		if !slices.Contains(pids, pid) {
			return fmt.Errorf("systemd did not move process %d into the cgroup %s, which has the processes %v", pid, d.path, pids)
		}
	}
	if err := g.enable(m, d); err != nil {
		return err
	}
	return g.delegate(d)
}

// checkThawedAbove returns [ErrFrozen] if a cgroup above m is frozen: a process that is
// moved into m would not run. It looks at the nearest one that exists, whose state
// includes that of the cgroups above it.
func (m *member) checkThawedAbove() error {
	for p := path.Dir(m.path); p != m.mount && within(p, m.mount); p = path.Dir(p) {
		d, err := openDir(p)
		if gone(err) {
			continue
		}
		if err != nil {
			return err
		}
		defer d.close()
		events, err := d.read("cgroup.events")
		if err == nil && keyed(events, "frozen") != "0" {
			return fmt.Errorf("%w: %s", ErrFrozen, p)
		}
		return err
	}
	return nil
}

// recordOutside records the caller's cgroups, for a group that has none.
func (g *Group) recordOutside(all []hierarchy) {
	for i := range all {
		if h := &all[i]; h.own != "" {
			m := member{names: h.names, mount: h.mount, path: path.Join(h.mount, h.own)}
			g.outside = append(g.outside, m.directory())
		}
	}
}

// Enterable reports whether the caller may put a process into the group's v2 cgroup:
// that takes write access to cgroup.procs there and in the common ancestor of that
// cgroup and the caller's (cgroups(7)). It also returns true if the cgroup does not
// exist any more, so that opening it reports that.
func (g *Group) Enterable() bool {
	m := g.unified()
	all, err := hierarchies()
	if m == nil || err != nil {
		return false
	}
	for i := range all {
		h := &all[i]
		if !h.unified() || h.own == "" {
			continue
		}
		top := path.Join(h.mount, h.own)
		for !within(m.path, top) {
			top = path.Dir(top)
		}
		denied := unix.Access(m.path+"/cgroup.procs", unix.W_OK)
		return writable(top+"/cgroup.procs") && (denied == nil || denied == unix.ENOENT)
	}
	return false
}

// Files returns the values that [Group.Limit] writes to files of cgroup v2, as pairs of
// file and value. systemd, which keeps limits of its own and would overwrite these,
// gets them as properties.
func (g *Group) Files() [][2]string { return g.files(true) }

// files lists these values. A weight of block I/O has two files: with general it
// is io.weight, and without it io.bfq.weight, of the scheduler bfq.
func (g *Group) files(general bool) [][2]string {
	var all [][2]string
	for _, c := range controllers() {
		list, err := c.values(g.resources, true)
		if err != nil {
			continue // Limit reports it
		}
		for _, s := range list {
			if s.fallback != nil && general {
				s = *s.fallback
			}
			all = append(all, [2]string{s.file, s.value})
		}
	}
	for _, key := range unifiedKeys(g.resources) {
		all = append(all, [2]string{key, strings.TrimSpace(g.resources.Unified[key])})
	}
	return all
}

// With returns a copy of the group with other resources.
func (g *Group) With(r *specs.LinuxResources) *Group {
	w := *g
	w.resources = r
	return &w
}

// Restore writes those limits again that systemd rounds, or that some versions do not
// know and overwrite: it writes all files of a controller when one of its properties is
// set. systemd derives io.bfq.weight from IOWeight=, and rounds it: 300 becomes 357.
func (g *Group) Restore() error {
	m := g.unified()
	if m == nil {
		return nil
	}
	for _, f := range g.files(false) {
		switch f[0] {
		case "cpu.max", "io.bfq.weight", "memory.oom.group", "memory.zswap.max", "memory.zswap.writeback":
			if err := m.write(f[0], f[1]); err != nil && !errors.Is(err, unix.ENOENT) {
				return err
			}
		}
	}
	return nil
}

// AllowedDevices returns what the device rules allow, as pairs of node and access for
// systemd's DeviceAllow=. Such a list cannot express a rule that denies a part of what
// an earlier one allows; it is left to the group's own program, so the list never
// allows less than the rules. It is nil if nothing is denied.
func (g *Group) AllowedDevices() ([][2]string, error) {
	list, err := deviceRules(g.resources)
	if err != nil {
		return nil, err
	}
	var allowed []rule
	for _, r := range list {
		for i := range allowed {
			if a := &allowed[i]; !r.allow && r.covers(a) {
				a.access &^= r.access
			}
		}
		if r.allow {
			allowed = append(allowed, r)
		}
	}
	nodes := [][2]string{}
	for i := range allowed {
		r := &allowed[i]
		if r.everyAccess() {
			return nil, nil
		}
		if r.access == 0 {
			continue
		}
		for _, kind := range kindNames(r.kind) {
			nodes = append(nodes, [2]string{r.node(kind), r.access.String()})
		}
	}
	return nodes, nil
}

func kindNames(kind byte) []string {
	switch kind {
	case 'b':
		return []string{"block"}
	case 'c':
		return []string{"char"}
	}
	return []string{"block", "char"}
}

// node names the rule's devices as systemd does (systemd.resource-control(5),
// DeviceAllow=). systemd cannot name one minor number of every major number; the result
// is then every device of the kind.
func (r *rule) node(kind string) string {
	switch {
	case r.major == wildcard:
		return kind + "-*"
	case r.minor == wildcard:
		return fmt.Sprintf("%s-%d", kind, r.major)
	}
	return fmt.Sprintf("/dev/%s/%d:%d", kind, r.major, r.minor)
}
