// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/sys"
)

// Sub returns the group for a process that is to run in a cgroup below the container's
// (exec --cgroup). sub has paths by v1 controller; the key "" stands for all
// hierarchies. The cgroups must exist, and be below the container's.
func (g *Group) Sub(sub map[string]string) (*Group, error) {
	s := &Group{members: make([]member, len(g.members))}
	copy(s.members, g.members)
	used := make(map[string]bool)
	for i := range s.members {
		m := &s.members[i]
		keys, err := subOf(m, sub)
		if err != nil {
			return nil, err
		}
		if len(keys) == 0 {
			continue
		}
		for _, key := range keys {
			used[key] = true
		}
		below := sub[keys[0]]
		p, err := join(m.path, below)
		if err != nil {
			return nil, err
		}
		d, err := openDir(p)
		if err != nil {
			return nil, fmt.Errorf("sub-cgroup %q: %w", below, err)
		}
		d.close()
		m.path = p
	}
	for key, below := range sub {
		if !used[key] && (key != "" || len(used) == 0) {
			return nil, fault.With(fault.Usage, fmt.Errorf("sub-cgroup %q: the host has no cgroup v1 controller %q", below, key))
		}
	}
	return s, nil
}

// subOf returns the keys of sub that apply to the hierarchy of m. They must have the
// same path: a process has one cgroup in a hierarchy, for all of its controllers.
func subOf(m *member, sub map[string]string) (keys []string, err error) {
	for _, name := range m.names {
		below, ok := sub[name]
		if !ok || name == "" {
			continue
		}
		if len(keys) > 0 && path.Join(m.path, below) != path.Join(m.path, sub[keys[0]]) {
			return nil, fault.With(fault.Usage, fmt.Errorf("sub-cgroups %q of %s and %q of %s must be the same, as these controllers share a hierarchy (%s)",
				sub[keys[0]], keys[0], below, name, strings.Join(m.names, ",")))
		}
		keys = append(keys, name)
	}
	if _, ok := sub[""]; ok && len(keys) == 0 {
		keys = []string{""}
	}
	return keys, nil
}

// join returns the path below, which a user gave, relative to top. It refuses one that
// leads out of top.
func join(top, below string) (string, error) {
	p := path.Join(top, below)
	if !within(p, top) {
		return "", fault.With(fault.Usage, fmt.Errorf("sub-cgroup %q must be inside the container's cgroup, %s", below, top))
	}
	return p, nil
}

// Of returns the group with the unified cgroup that pid, a process of the container, is
// in now. An exec goes there if the container's own cgroup takes no processes (the
// clone fails with EBUSY): a container that manages cgroups itself has enabled
// controllers in its cgroup and moved its init into one below.
func (g *Group) Of(pid int) (*Group, error) {
	m := g.unified()
	if m == nil {
		return g, nil
	}
	file := sys.ProcPath(pid, "cgroup")
	text, err := sys.ReadText(file)
	if err != nil {
		return nil, err
	}
	at, ok := memberOf(text, "")
	if !ok {
		return nil, fmt.Errorf("%s has no line for cgroup v2", file)
	}
	all, err := hierarchies()
	if err != nil {
		return nil, err
	}
	for i := range all {
		if h := &all[i]; h.unified() && within(m.path, h.mount) {
			return g.moved(path.Join(h.mount, path.Clean("/"+strings.TrimPrefix(at, "/"))))
		}
	}
	return nil, errors.New("cgroup v2 is no longer mounted")
}

func (g *Group) moved(to string) (*Group, error) {
	s := &Group{members: make([]member, len(g.members))}
	copy(s.members, g.members)
	m := s.unified()
	if !within(to, m.path) {
		return nil, fmt.Errorf("cgroup %s is not inside the container's, %s", to, m.path)
	}
	m.path = to
	return s, nil
}
