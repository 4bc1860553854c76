// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// standard lists the v2 controllers that each container's cgroup gets if the host has
// them: engines read usage from them, update may set a limit of any of them, and an
// engine inside the container, such as a kubelet, can use no others.
var standard = [...]string{"cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc"}

// wanted returns the v2 controllers to enable: the standard ones, and those of the keys
// in linux.resources.unified.
func (g *Group) wanted() []string {
	want := slices.Clone(standard[:])
	for _, key := range unifiedKeys(g.resources) {
		name, _, ok := strings.Cut(key, ".")
		if ok && name != "cgroup" && !slices.Contains(want, name) {
			want = append(want, name)
		}
	}
	return want
}

// demands returns, for each v2 controller that a limit needs, the first field with such
// a limit.
func (g *Group) demands() map[string]string {
	fields := make(map[string]string)
	add := func(controller string, list []setting) {
		if s, ok := firstLimit(list); ok && fields[controller] == "" {
			fields[controller] = s.field
		}
	}
	for _, c := range controllers() {
		if g.legacy(c.legacy) == nil {
			list, _ := c.values(g.resources, true) // Limit reports errors in the values
			add(c.name, list)
		}
	}
	for _, key := range unifiedKeys(g.resources) {
		name, _, _ := strings.Cut(key, ".")
		add(name, unifiedSettings(g.resources, key))
	}
	return fields
}

// domainDemands yields the demands that a threaded cgroup cannot meet, sorted by
// controller.
func (g *Group) domainDemands() iter.Seq2[string, string] {
	return func(yield func(controller, field string) bool) {
		fields := g.demands()
		for _, c := range slices.Sorted(maps.Keys(fields)) {
			if domainOnly(c) && !yield(c, fields[c]) {
				return
			}
		}
	}
}

// grant records the controllers that were enabled in one cgroup for those below it.
type grant struct {
	path        string
	controllers []string
	below       []string // the cgroups that were below it then
}

// enable enables the group's controllers in the cgroups above it, where that is
// possible. A controller that is missing in the end is reported by [Group.Limit], which
// knows the field that needs it. If a cgroup above is threaded, or becomes so by this,
// the group becomes threaded too.
func (g *Group) enable(m *member, d dir) error {
	have, err := d.read("cgroup.controllers")
	if err != nil {
		return err
	}
	want := slices.DeleteFunc(g.wanted(), func(c string) bool { return hasField(have, c) })
	for p := range above(m.mount, m.path) {
		if len(want) == 0 {
			break
		}
		if want, err = g.enableAt(p, want); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(strings.Fields(have), domainOnly) {
		return nil // no threaded cgroup is above one that has these
	}
	return g.makeAllThreaded(m, d)
}

// above yields the cgroups above p, from the mount point down.
func above(mount, p string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := len(mount); i < len(p); i++ {
			if p[i] == '/' && !yield(p[:i]) {
				return
			}
		}
	}
}

// enableAt enables those controllers of want that the cgroup at p has for the cgroups
// below it, and returns the ones that are enabled there now.
func (g *Group) enableAt(p string, want []string) (passed []string, err error) {
	d, err := openDir(p)
	if err != nil {
		return nil, err
	}
	defer d.close()
	have, err := d.read("cgroup.controllers")
	if err != nil {
		return nil, err
	}
	want = slices.DeleteFunc(want, func(c string) bool { return !hasField(have, c) })
	if len(want) == 0 {
		return nil, nil
	}
	on, err := d.read("cgroup.subtree_control")
	if err != nil {
		return nil, err
	}
	passed, missing := partition(want, func(c string) bool { return hasField(on, c) })
	fresh, err := g.grantAll(d, missing)
	return append(passed, fresh...), err
}

// partition splits controllers by the predicate is.
func partition(all []string, is func(string) bool) (in, out []string) {
	for _, c := range all {
		if is(c) {
			in = append(in, c)
		} else {
			out = append(out, c)
		}
	}
	return in, out
}

// grantAll enables controllers in one write; if that fails, it enables those that it
// can. If processes or threads in d stand in the way of a controller that a limit
// needs, it fails before it enables anything.
func (g *Group) grantAll(d dir, missing []string) (fresh []string, err error) {
	if len(missing) == 0 {
		return nil, nil
	}
	err = enableIn(d, missing)
	if errors.Is(err, unix.EOPNOTSUPP) {
		threaded, threadErr := g.makeThreaded(d)
		if threadErr != nil {
			return nil, threadErr
		}
		if threaded {
			err = enableIn(d, missing)
		}
	}
	switch {
	case err == nil:
		fresh = missing
	case crowded(err):
		if err := g.checkDemands(d.path, missing, err); err != nil {
			return nil, err
		}
		domain, threads := partition(missing, domainOnly)
		g.recordRefusal(domain, err)
		fresh = g.grantEach(d, threads)
	case len(missing) == 1:
		g.recordRefusal(missing, err)
	default:
		fresh = g.grantEach(d, missing)
	}
	if len(fresh) > 0 {
		g.granted = append(g.granted, grant{d.path, fresh, subCgroups(d.path)})
	}
	return fresh, nil
}

func enableIn(d dir, controllers []string) error {
	return d.write("cgroup.subtree_control", "+"+strings.Join(controllers, " +"))
}

// grantEach enables controllers one by one, and records why some cannot be enabled.
func (g *Group) grantEach(d dir, missing []string) (fresh []string) {
	for _, c := range missing {
		if err := enableIn(d, []string{c}); err != nil {
			g.recordRefusal([]string{c}, err)
			continue
		}
		fresh = append(fresh, c)
	}
	return fresh
}

// recordRefusal records why controllers cannot be enabled.
func (g *Group) recordRefusal(controllers []string, why error) {
	if g.refused == nil {
		g.refused = make(map[string]error)
	}
	for _, c := range controllers {
		g.refused[c] = why
	}
	if trace.On() {
		trace.Say("the controllers %s cannot be enabled: limits that need them would be an error", strings.Join(controllers, ", "))
	}
}

// crowded reports whether the kernel refused a controller because of the processes or
// threads in the cgroup (EBUSY, EOPNOTSUPP), and not because of the controller.
func crowded(err error) bool { return errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EOPNOTSUPP) }

// checkDemands returns an error if a limit of the group needs one of the missing
// controllers, which a cgroup with processes cannot pass on.
func (g *Group) checkDemands(p string, missing []string, why error) error {
	for c, field := range g.domainDemands() {
		if slices.Contains(missing, c) {
			return &FieldError{"linux.resources." + field, fault.Hint(inUse(
				"the %s controller cannot be enabled for child cgroups of %s, which contains processes or is threaded: %w", c, p, errors.Unwrap(why)),
				"move the processes to a child cgroup, or set linux.cgroupsPath to another place")}
		}
	}
	return nil
}

// Withdraw undoes, for a group that failed and is removed, what [Group.Create] changed
// in the cgroups above. It acts only if something was made threaded: to enable a
// controller in a cgroup with processes turns it into a threaded domain, and to disable
// it again makes it normal. A cgroup that has new cgroups below it by now is left
// alone, since these would lose their limits.
func (g *Group) Withdraw() {
	if !g.threaded {
		return
	}
	removeEmpty(g.made)
	for _, a := range slices.Backward(g.granted) {
		isNew := func(name string) bool { return !slices.Contains(a.below, name) }
		if slices.ContainsFunc(subCgroups(a.path), isNew) {
			continue
		}
		if d, err := openDir(a.path); err == nil {
			_ = d.write("cgroup.subtree_control", "-"+strings.Join(a.controllers, " -"))
			d.close()
		}
	}
	g.granted = nil
}

// subCgroups lists the names of the cgroups directly below the one at p.
func subCgroups(p string) (names []string) {
	entries, _ := os.ReadDir(p)
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}
