// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/program"
	"golang.org/x/sys/unix"
)

// MakesFirst reports whether [Tree.Make] makes the mount namespace, so that the
// caller must not.
func (t *Tree) MakesFirst() bool { return t.makesFirst }

// Make adds the operations that make detached mounts, in the order of config.json,
// while the child is still in the runtime's mount namespace: there, mounts are shared
// or unbindable as they are for the runtime, and nothing of the container is visible.
// A mount that needs the container's tree waits, and so do all that follow it. Then
// the child makes its own mount namespace.
func (t *Tree) Make(p *program.Program) {
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

func unshareMounts(p *program.Program) {
	p.Add("linux.namespaces", program.Unshare{Namespaces: unix.CLONE_NEWNS})
}

// find adds the operations that open the sources which are cloned in turn, while
// nothing of the container is mounted and the child is still the user who may reach
// them.
func (t *Tree) find(p *program.Program) {
	for i := range t.mounts {
		if m := &t.mounts[i]; m.way == find {
			p.Add(m.Field+".source", program.OpenTree{Out: m.slot, Path: m.Source, Flags: unix.OPEN_TREE_CLOEXEC | noFollow(m)})
		}
	}
}

// guard adds the operations that put an unbindable mount where the root will be
// attached. A recursive bind of a directory above, which is cloned when the root is
// there, stops at it (mount_namespaces(7)). So it brings along neither the root nor
// the mounts in it, which nothing would mask there.
func (t *Tree) guard(p *program.Program) {
	const field = "root.path"
	if !t.guards {
		return
	}
	guard := p.NewSlot()
	p.Add(field, program.OpenTree{Out: guard, Path: t.plan.Path, Flags: cloneTree, Because: hostPath(t.plan.Path)})
	p.Add(field, program.SetAttr{Mount: guard, Attributes: program.Attributes{Propagation: unix.MS_UNBINDABLE}})
	p.Add(field, program.Attach{Mount: guard, Destination: t.plan.Path})
	p.Add("", program.Close{File: guard})
}

// Flags of open_tree(2).
const (
	cloneMount = unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC
	cloneTree  = cloneMount | unix.AT_RECURSIVE
)

// bind attaches a source, and clones it first unless that has been done.
func (t *Tree) bind(p *program.Program, m *mount) {
	switch {
	case m.when == inTurn:
		t.openTree(p, m, m.slot)
	case m.name != "":
		t.unstage(p, m)
	}
	p.Add(m.Field, program.Attach{Mount: m.slot, Root: t.Root, Destination: m.Destination, Place: m.place})
}

// noFollow returns the flag of open_tree(2) for a source that may be a symlink.
func noFollow(m *mount) uint64 {
	if m.SourceLink {
		return unix.AT_SYMLINK_NOFOLLOW
	}
	return 0
}

// openTree has the child clone the source of a bind and give it its flags.
func (t *Tree) openTree(p *program.Program, m *mount, src program.Slot) {
	flags := cloneMount | noFollow(m)
	if m.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	op := program.OpenTree{Out: src, Path: m.Source, Flags: flags, Source: m.Source, Because: m}
	switch m.way {
	case cloneInside: // the child may not be able to reach the rootfs's path any more
		op.From, op.InRoot = t.Root, true
		op.Path = "/" + strings.TrimPrefix(strings.TrimPrefix(m.Source, t.plan.Path), "/")
	case find:
		op.From, op.Found = src, true
	case cloneBefore, layOut:
		op.Later = m.retried
	}
	p.Add(m.Field+".source", op)
	for _, a := range m.attrs {
		p.Add(m.Field, a.operation(m, src))
	}
	switch m.ids {
	case mapByChild:
		t.mapTree(p, m, src)
	case mapAsked:
		t.askMapped(p, m, src)
	}
}
