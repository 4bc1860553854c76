package rootfs

import (
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// MakesFirst reports whether the mount namespace is not to be made before
// [Tree.Make] is called, which does so.
func (t *Tree) MakesFirst() bool { return t.makesFirst }

// Make adds the operations that make the mounts, detached and in the order of
// config.json, while the child is still in the runtime's mount namespace: what
// is shared or unbindable there is so for it, and nothing of the container is
// in sight. What comes after a mount that needs the container's tree waits, too.
// Then the child makes its own mount namespace.
func (t *Tree) Make(p *plan.Program) {
	if t.stages {
		t.layOutBefore(p)
		return
	}
	for i := range t.mounts {
		switch m := &t.mounts[i]; {
		case m.when != atMake:
		case m.way == create:
			t.newFS(p, m)
		default:
			t.openTree(p, m, m.slot)
		}
	}
	unshareMounts(p)
}

func unshareMounts(p *plan.Program) {
	p.Add(plan.Op{Kind: plan.OpUnshare, N: [3]uint64{unix.CLONE_NEWNS}, Field: "linux.namespaces"})
}

// find adds the operations that find the sources that are cloned in turn, while
// nothing of the container is there, and we still are the user who may go there.
func (t *Tree) find(p *plan.Program) {
	for i := range t.mounts {
		if m := &t.mounts[i]; m.way == find {
			p.Add(plan.Op{Kind: plan.OpOpenTree, A: m.slot, S: []string{m.Source}, N: [3]uint64{unix.OPEN_TREE_CLOEXEC | noFollow(m)}, Field: m.Field + ".source"})
		}
	}
}

// guard adds the operations that put an unbindable mount where the root is to
// be attached: a recursive bind of a directory above, which is cloned when the
// root is there, ends at it (mount_namespaces(7)). It brings along neither the
// root nor the mounts in it, which nothing would mask there.
func (t *Tree) guard(p *plan.Program) {
	const field = "root.path"
	if !t.guards {
		return
	}
	guard := p.NewSlot()
	p.Add(plan.Op{Kind: plan.OpOpenTree, A: guard, S: []string{t.plan.Path}, N: [3]uint64{cloneTree}, Field: field})
	p.Add(plan.Op{Kind: plan.OpSetAttr, A: guard, N: [3]uint64{0, 0, unix.MS_UNBINDABLE}, Field: field})
	p.Add(plan.Op{Kind: plan.OpAttach, A: guard, S: []string{t.plan.Path}, Field: field})
	p.Add(plan.Op{Kind: plan.OpClose, A: guard})
}

// Flags of open_tree(2).
const (
	cloneMount = unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC
	cloneTree  = cloneMount | unix.AT_RECURSIVE
)

// bind attaches a source, which is cloned now if that has not been done.
func (t *Tree) bind(p *plan.Program, m *mount) {
	switch {
	case m.when == inTurn:
		t.openTree(p, m, m.slot)
	case m.name != "":
		t.unstage(p, m)
	}
	p.Add(plan.Op{Kind: plan.OpAttach, A: m.slot, B: t.Root, S: []string{m.Destination}, Flags: m.place, Field: m.Field})
}

// noFollow is the flag of open_tree(2) for a source that may be a symlink.
func noFollow(m *mount) uint64 {
	if m.SourceLink {
		return unix.AT_SYMLINK_NOFOLLOW
	}
	return 0
}

// openTree lets the child clone the source of a bind, and give it its flags.
func (t *Tree) openTree(p *plan.Program, m *mount, src plan.Slot) {
	flags := cloneMount | noFollow(m)
	if m.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	op := p.Add(plan.Op{Kind: plan.OpOpenTree, A: src, S: []string{m.Source}, N: [3]uint64{flags}, Field: m.Field + ".source"})
	switch m.way {
	case cloneInside: // the rootfs's own path may be closed to us by now
		op.B, op.Flags = t.Root, plan.OpenInRoot
		op.S = append(op.S, "/"+strings.TrimPrefix(strings.TrimPrefix(m.Source, t.plan.Path), "/"))
	case find:
		op.B, op.Flags = src, plan.OpenFound
	case cloneBefore, layOut:
		op.Flags = flag(m.retried) * plan.OpenLater
	}
	for _, a := range m.attrs {
		op := p.Add(plan.Op{Kind: plan.OpSetAttr, A: src, N: [3]uint64{a.Attr_set, a.Attr_clr, a.Propagation}, Flags: a.flags(), Field: m.Field})
		if clr := a.Attr_clr; clr != 0 {
			if a.makesWritable() {
				clr &^= unix.MOUNT_ATTR_RDONLY
			}
			op.S = []string{m.Source, clearing(clr)}
		}
	}
	switch m.ids {
	case mapByChild:
		t.mapTree(p, m, src)
	case mapAsked:
		t.askMapped(p, m, src)
	}
}
