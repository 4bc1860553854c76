package rootfs

import (
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// way is how the source of a bind is opened. Kernels since 6.8 sort mountinfo
// by the time at which a mount was made, which for a bind is when its source is
// cloned: this comes in the mount's turn where it can, and the table has the
// order of config.json.
type way int

const (
	noBind way = iota
	// Cloned ahead of all mounts: by the runtime, or where it may not, by the
	// child.
	ahead
	// Cloned by the child in its turn, in the runtime's mount namespace: see
	// [Tree.Make].
	first
	// Cloned by the child and laid out, to be cloned again in its turn: see
	// [Tree.Stage].
	laid
	// Found by the child in the container's mount namespace when that is still a
	// copy of the runtime's, and cloned in its turn: for a caller without rights
	// in the runtime's, and for a bind after a mount that waits. (Linux 6.18 does
	// not copy that a mount is unbindable.)
	found
	// In the rootfs, perhaps on a mount made earlier in the list: found and
	// cloned by the child in its turn.
	below
	// Not at all: a symlink, which is made anew (copy-symlink).
	copied
)

// choose chooses the way for each mount.
func (t *Tree) choose() {
	waits := false
	for i := range t.mounts {
		m := &t.mounts[i]
		if m.target = t.Host.copiedLink(&m.Mount); m.target != "" {
			m.way = copied
			continue
		}
		m.way = t.way(m, waits)
		waits = waits || m.way == below || m.way == noBind && t.needsTree(m)
		m.waits = waits
	}
}

// copiedLink is the target of a bind's source that is a symlink and to be copied;
// empty if it is none. What becomes one later is mounted itself: no symlink is
// ever followed.
func (h *Host) copiedLink(m *plan.Mount) string {
	if !m.CopyLink || !m.Bind || m.Remount {
		return ""
	}
	target, err := h.Readlink(m.Source)
	if err != nil {
		return "" // no symlink, or it is told of when it is opened
	}
	return target
}

// way chooses the way for m; after tells that it comes after a mount that waits
// for the container's tree.
func (t *Tree) way(m *mount, after bool) way {
	switch {
	case !m.Bind || m.Remount:
		return noBind
	case t.below(m.Source):
		return below
	case t.ByChild && t.NewMounts:
		if t.tight {
			return laid
		}
		return found
	case !t.NewMounts || !t.Host.sameForChild(m):
		return ahead
	case t.stages:
		return laid
	case after && !t.keepsPropagation():
		return found
	}
	return first
}

// sameRights tells that the child has the rights of the runtime, and its mount
// namespace until it makes its own.
func (t *Tree) sameRights() bool { return t.NewMounts && !t.UserNS && !t.ByChild }

// sameForChild tells that the child finds the same source as the runtime:
// both have a /proc/self of their own. What cannot be opened the runtime tells.
func (h *Host) sameForChild(m *mount) bool {
	return !strings.HasPrefix(m.Source, "/proc/") && h.Findable(m.Source, !m.SourceLink)
}

// below tells whether a bind's source lies in the rootfs. Such a source may be
// on a mount made earlier in the list, which only the child can see.
func (t *Tree) below(source string) bool {
	return source == t.plan.Path || strings.HasPrefix(source, strings.TrimSuffix(t.plan.Path, "/")+"/")
}

// MakesFirst tells that the mount namespace is not to be made before
// [Tree.Make] is called, which does so.
func (t *Tree) MakesFirst() bool { return t.has(first) || t.stages && !t.UserNS }

func (t *Tree) has(w way) bool {
	return slices.ContainsFunc(t.mounts, func(m mount) bool { return m.way == w })
}

// Make adds the operations that make the mounts, detached and in the order of
// config.json, while the child is still in the runtime's mount namespace: what
// is shared or unbindable there is so for it, and nothing of the container is
// in sight. What comes after a mount that needs the container's tree waits, too.
// Then the child makes its own mount namespace.
func (t *Tree) Make(p *plan.Program) {
	if t.stages {
		t.Stage(p)
		return
	}
	for i := range t.mounts {
		switch m := &t.mounts[i]; {
		case m.way == first:
			t.openTree(p, m, m.slot)
		case m.way == noBind && !m.Remount && !m.waits:
			t.newFS(p, m)
		}
	}
	unshareMounts(p)
}

func unshareMounts(p *plan.Program) {
	p.Add(plan.Op{Kind: plan.OpUnshare, N: [3]uint64{unix.CLONE_NEWNS}, Field: "linux.namespaces"})
}

// needsTree tells that a file system cannot be made before the container's tree
// is there: mount(2) does both at once, and a path below the rootfs may be on a
// mount made earlier in the list.
func (t *Tree) needsTree(m *mount) bool {
	inRoot := func(s string) bool { return strings.Contains(s, t.plan.Path) }
	return !m.Remount && (needsMount2(m) || inRoot(m.Source) || slices.ContainsFunc(m.Data, inRoot))
}

// find adds the operations that find the sources that are cloned in turn, while
// nothing of the container is there, and we still are the user who may go there.
func (t *Tree) find(p *plan.Program) {
	for i := range t.mounts {
		if m := &t.mounts[i]; m.way == found {
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
	for i := range t.mounts {
		if m := &t.mounts[i]; m.way != found || !m.Recursive {
			continue
		}
		guard := p.NewSlot()
		p.Add(plan.Op{Kind: plan.OpOpenTree, A: guard, S: []string{t.plan.Path}, N: [3]uint64{cloneTree}, Field: field})
		p.Add(plan.Op{Kind: plan.OpSetAttr, A: guard, N: [3]uint64{0, 0, unix.MS_UNBINDABLE}, Field: field})
		p.Add(plan.Op{Kind: plan.OpAttach, A: guard, S: []string{t.plan.Path}, Field: field})
		p.Add(plan.Op{Kind: plan.OpClose, A: guard})
		return
	}
}

// Flags of open_tree(2).
const (
	cloneMount = unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC
	cloneTree  = cloneMount | unix.AT_RECURSIVE
)

// bind attaches a source, which is cloned now if that was not done ahead.
func (t *Tree) bind(p *plan.Program, m *mount) {
	switch {
	case m.way == found || m.way == below:
		t.openTree(p, m, m.slot)
	case t.stages || m.way == laid:
		t.unstage(p, m)
	}
	p.Add(plan.Op{Kind: plan.OpAttach, A: m.slot, B: t.Root, S: []string{m.Destination}, Flags: attachFlags(m), Field: m.Field})
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
	case below: // the rootfs's own path may be closed to us by now
		op.B, op.Flags = t.Root, plan.OpenInRoot
		op.S = append(op.S, "/"+strings.TrimPrefix(strings.TrimPrefix(m.Source, t.plan.Path), "/"))
	case found:
		op.B, op.Flags = src, plan.OpenFound
	case first, laid:
		op.Flags = flag(!t.tight) * plan.OpenLater
	}
	for _, a := range t.attributes(m, m.way != laid) {
		op := p.Add(plan.Op{Kind: plan.OpSetAttr, A: src, N: [3]uint64{a.Attr_set, a.Attr_clr, a.Propagation}, Flags: a.flags(), Field: m.Field})
		if clr := a.Attr_clr; clr != 0 {
			if a.makesWritable() {
				clr &^= unix.MOUNT_ATTR_RDONLY
			}
			op.S = []string{m.Source, clearing(clr)}
		}
	}
	switch {
	case m.ids != plan.NoSlot:
		mapByChild(p, m, src)
	case t.mapsAsked(m):
		t.askMapped(p, m, src)
	}
}
