package rootfs

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// Added is the tree of a container that runs, to which the mounts of r come. All
// are made before one is attached: sources and new file systems while the child is
// still in a mount namespace where nothing is the container's to change.
func Added(r plan.Rootfs, on Setting, p *plan.Program) (*Tree, error) {
	t := &Tree{Setting: on, plan: r, null: plan.NoSlot, stage: plan.NoSlot, added: true, stages: on.UserNS && !on.ByChild}
	t.mounts = t.expandCgroups(r.Mounts)
	for i := range t.mounts {
		m := &t.mounts[i]
		if err := t.addable(m); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Field, err)
		}
		if m.Bind {
			m.way = ahead
		}
		m.slot, m.ids = plan.NoSlot, plan.NoSlot
		if t.mapsByChild(m) {
			m.ids = p.Inherit(1)
		}
	}
	for i := range t.mounts {
		if m := &t.mounts[i]; m.way == ahead && !t.ByChild {
			m.slot, m.name = p.Inherit(1), fmt.Sprint(i)
		}
	}
	p.Inherit(0)
	for i := range t.mounts {
		if m := &t.mounts[i]; m.slot == plan.NoSlot {
			m.slot = p.NewSlot()
		}
	}
	t.Root = p.NewSlot()
	return t, nil
}

// addable refuses what cannot be added to a container that runs.
func (t *Tree) addable(m *mount) error {
	switch {
	case m.Remount:
		return errors.New("a remount would change what is mounted in the container: only new mounts can be added")
	case needsMount2(m):
		return errors.New("iversion, and options of 256 bytes and more, cannot be given to a mount of a container that runs")
	}
	for _, list := range [...]struct {
		name  string
		paths []string
	}{{"maskedPaths", t.plan.Masked}, {"readonlyPaths", t.plan.ReadonlyP}} {
		for _, path := range list.paths {
			if path == m.Destination || strings.HasPrefix(path, strings.TrimSuffix(m.Destination, "/")+"/") {
				return fmt.Errorf("on %s it would cover %s of linux.%s", m.Destination, path, list.name)
			}
		}
	}
	return nil
}

// openAdded is [Tree.Open] for a tree that has a root.
func (t *Tree) openAdded(files []*os.File, ns UserNamespaces, warn Warn) ([]*os.File, error) {
	if t.ByChild {
		return files, t.checkMapped()
	}
	return t.openSources(files, ns, warn)
}

// Clone adds the operations that clone the sources which the runtime has not
// opened, or which have been laid out, with the flags that the mount namespace that
// we are in now has locked.
func (t *Tree) Clone(p *plan.Program) {
	if t.stages {
		t.enterStage(p)
	}
	for i := range t.mounts {
		switch m := &t.mounts[i]; {
		case m.way != ahead:
		case t.stages:
			t.unstage(p, m)
		case t.ByChild:
			t.openTree(p, m, m.slot)
		}
	}
	t.leaveStage(p)
}

// MakeNew adds the operations that make new file systems.
func (t *Tree) MakeNew(p *plan.Program) {
	for i := range t.mounts {
		if m := &t.mounts[i]; m.way == noBind {
			t.newFS(p, m)
		}
	}
}

// Each goes through the mounts in the order of the list.
func (t *Tree) Each(f func(mount plan.Slot)) {
	for i := range t.mounts {
		f(t.mounts[i].slot)
	}
}

// Fields are the JSON paths of the mounts that [Tree.Each] goes through: one entry
// of the list may be several mounts.
func (t *Tree) Fields() (fields []string) {
	for i := range t.mounts {
		fields = append(fields, t.mounts[i].Field)
	}
	return fields
}

// AttachAll adds the operations that attach all mounts in the container's mount
// namespace, where we are now.
func (t *Tree) AttachAll(p *plan.Program) {
	p.Add(plan.Op{Kind: plan.OpOpenTree, A: t.Root, S: []string{"/"}, N: [3]uint64{unix.OPEN_TREE_CLOEXEC}})
	for i := range t.mounts {
		m := &t.mounts[i]
		if m.Bind {
			p.Add(plan.Op{Kind: plan.OpAttach, A: m.slot, B: t.Root, S: []string{m.Destination}, Flags: attachFlags(m), Field: m.Field})
		} else {
			t.fsmount(p, m)
		}
		for _, l := range m.links {
			p.Add(plan.Op{Kind: plan.OpSymlink, B: m.slot, S: l[:], Field: m.Field})
		}
	}
	for _, op := range t.late {
		p.Add(op)
	}
}
