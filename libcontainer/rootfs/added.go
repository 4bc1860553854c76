// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"fmt"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"golang.org/x/sys/unix"
)

// Added returns a tree of the mounts of r that are added to a running container. All
// are made before any is attached, sources and new file systems alike, while the child
// is still in a mount namespace in which the container can change nothing.
func Added(r plan.Rootfs, on Setting, p *program.Program) (*Tree, error) {
	t := newTree(decide(r, env{Setting: on, added: true}))
	for i := range t.mounts {
		m := &t.mounts[i]
		if err := t.addable(m); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Field, err)
		}
	}
	t.inherit(p)
	t.fill(p, func(m *mount) bool { return m.when != atOpen })
	t.Root = p.NewSlot()
	return t, nil
}

// addable refuses what cannot be added to a running container.
func (t *Tree) addable(m *mount) error {
	switch {
	case m.way == change:
		return fault.New(fault.InvalidConfig, "remount cannot be used: only new mounts can be added to a running container")
	case m.byMount:
		return fault.New(fault.NotSupported, "iversion and options of 256 or more bytes are not supported for mounts that are added to a running container")
	}
	if m.CopyLink && m.Bind {
		if _, err := t.Host.Readlink(m.Source); err == nil {
			return fault.With(fault.InvalidConfig, fmt.Errorf("copy-symlink cannot be used: %s is a symlink, and only mounts can be added to a running container", m.Source))
		}
	}
	for _, list := range [...]struct {
		name  string
		paths []string
	}{{"maskedPaths", t.plan.Masked}, {"readonlyPaths", t.plan.ReadonlyP}} {
		for _, path := range list.paths {
			if path == m.Destination || strings.HasPrefix(path, strings.TrimSuffix(m.Destination, "/")+"/") {
				return fault.With(fault.InvalidConfig, fmt.Errorf("a mount on %s would hide %s, which is in linux.%s", m.Destination, path, list.name))
			}
		}
	}
	return nil
}

// Clone adds the operations that clone the sources which the runtime has not opened,
// or which have been laid out. The clones have the flags that the child's present
// mount namespace has locked.
func (t *Tree) Clone(p *program.Program) {
	if t.stages {
		t.enterStage(p)
	}
	for i := range t.mounts {
		switch m := &t.mounts[i]; {
		case m.name != "":
			t.unstage(p, m)
		case m.when == atAttach:
			t.openTree(p, m, m.slot)
		}
	}
	t.leaveStage(p)
}

// MakeNew adds the operations that make new file systems.
func (t *Tree) MakeNew(p *program.Program) {
	for i := range t.mounts {
		if m := &t.mounts[i]; m.way == create {
			t.newFS(p, m)
		}
	}
}

// Each calls f with each mount, in the order of the list.
func (t *Tree) Each(f func(mount program.Slot)) {
	for i := range t.mounts {
		f(t.mounts[i].slot)
	}
}

// Fields returns the JSON paths of the mounts that [Tree.Each] goes through: one entry
// of config.json's list may become several mounts.
func (t *Tree) Fields() (fields []string) {
	for i := range t.mounts {
		fields = append(fields, t.mounts[i].Field)
	}
	return fields
}

// AttachAll adds the operations that attach all mounts in the container's mount
// namespace, which the child is in by then.
func (t *Tree) AttachAll(p *program.Program) {
	p.Add("", program.OpenTree{Out: t.Root, Path: "/", Flags: unix.OPEN_TREE_CLOEXEC})
	for i := range t.mounts {
		m := &t.mounts[i]
		if m.way != create {
			p.Add(m.Field, program.Attach{Mount: m.slot, Root: t.Root, Destination: m.Destination, Place: m.place})
		} else {
			t.fsmount(p, m)
		}
		for _, l := range m.links {
			p.Add(m.Field, program.Symlink{Root: m.slot, Target: l[0], Path: l[1]})
		}
	}
	p.Ops = append(p.Ops, t.late...)
}
