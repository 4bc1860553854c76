// Package rootfs makes the operations that build a container's file system
// tree: mounts, devices, links, masked and read-only paths.
//
// The runtime's share is to open every source of a bind ahead of time, in its
// own mount namespace, as a detached mount ([Open]); the child attaches them.
// So no path of the host is resolved inside the container, and no path of the
// image outside it.
package rootfs

import (
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// Tree is the rootfs of one launch, on its way to operations.
type Tree struct {
	plan   plan.Rootfs
	mounts []mount // the plan's mounts, cgroup mounts resolved for this host

	shared bool        // there is no mount namespace: the host's tree is mounted in
	nodes  []plan.Slot // in a user namespace: the host's device nodes, to bind

	Root plan.Slot // the root directory; valid in all operations after [Tree.Attach]
	null plan.Slot
	late []plan.Op // read-only flags that wait until nothing has to be made below
}

// mount is one mount to make: the plan's, and where its source comes from.
type mount struct {
	plan.Mount
	slot  plan.Slot   // of the source opened by the runtime; NoSlot if there is none
	links [][2]string // symlinks to make below it: target, path
}

// New resolves the plan's mounts for this host and reserves the slots of what
// [Open] will open. It opens nothing itself.
//
// shared says that the container has the runtime's own mount namespace. The
// tree is then mounted on the host, on the rootfs's path, and the root is
// changed by chroot(2).
//
// userns says that the container has a user namespace, in which no device node
// can be made: the host's are bound.
func New(r plan.Rootfs, shared, userns bool, view CgroupView, p *plan.Program) *Tree {
	t := &Tree{plan: r, shared: shared, Root: p.Inherit(1), null: plan.NoSlot}
	if len(r.Masked) > 0 {
		t.null = p.Inherit(1)
	}
	if userns && t.ownDev() {
		for range r.Devices {
			t.nodes = append(t.nodes, p.Inherit(1))
		}
	}
	for _, m := range expandCgroups(r.Mounts, view) {
		m.slot = plan.NoSlot
		if m.Bind && !m.Remount && !t.below(m.Source) {
			m.slot = p.Inherit(1)
		}
		t.mounts = append(t.mounts, m)
	}
	return t
}

// below tells whether a bind's source lies in the rootfs. Such a source may be
// on a mount made earlier in the list, which only the child can see.
func (t *Tree) below(source string) bool {
	return source == t.plan.Path || strings.HasPrefix(source, strings.TrimSuffix(t.plan.Path, "/")+"/")
}

// keepsPropagation says that mounts are to stay peers of the host's.
func (t *Tree) keepsPropagation() bool { return t.plan.Propagation&unix.MS_SHARED != 0 }

// base is the propagation that a source gets before its own flags: what
// happens on the host is seen in the container, not the other way round.
func (t *Tree) base() uint64 {
	if t.plan.Propagation&unix.MS_PRIVATE != 0 {
		return unix.MS_PRIVATE
	}
	return unix.MS_SLAVE
}

// Attach adds the operations that attach the root at its path on the host: in
// a user namespace while we still are the user who may go there.
func (t *Tree) Attach(p *plan.Program) {
	if !t.shared {
		p.Add(plan.Op{Kind: plan.OpPropagate, S: []string{"/"}, N: [3]uint64{t.base()}, Flags: 1})
	}
	p.Add(plan.Op{Kind: plan.OpAttach, A: t.Root, S: []string{t.plan.Path}, Field: "root.path"})
}

// Mounts adds the operations that make all mounts, in the order of
// config.json.
func (t *Tree) Mounts(p *plan.Program) {
	for i := range t.mounts {
		t.mount(p, &t.mounts[i])
	}
}

// Enter adds the step into the new root.
func (t *Tree) Enter(p *plan.Program) {
	kind := plan.OpPivot
	switch {
	case t.shared:
		kind = plan.OpChroot
	case t.plan.NoPivot:
		kind = plan.OpMoveRoot
	}
	p.Add(plan.Op{Kind: kind, A: t.Root, Field: "root.path"})
}

// Seal adds what must wait until the tree is complete: read-only flags,
// masks, and the root's own propagation.
func (t *Tree) Seal(p *plan.Program) {
	for _, op := range t.late {
		p.Add(op)
	}
	for i, path := range t.plan.ReadonlyP {
		p.Add(plan.Op{Kind: plan.OpReadonly, B: t.Root, S: []string{path}, Field: index("linux.readonlyPaths", i)})
	}
	for i, path := range t.plan.Masked {
		p.Add(plan.Op{Kind: plan.OpMask, A: t.null, B: t.Root, S: []string{path}, Field: index("linux.maskedPaths", i)})
	}
	if t.plan.Readonly {
		p.Add(plan.Op{Kind: plan.OpSetAttr, A: t.Root, N: [3]uint64{unix.MOUNT_ATTR_RDONLY}, Field: "root.readonly"})
	}
	if n := t.plan.Propagation; n != 0 {
		p.Add(plan.Op{Kind: plan.OpSetAttr, A: t.Root, N: [3]uint64{0, 0, n &^ unix.MS_REC}, Flags: recursive(n), Field: "linux.rootfsPropagation"})
	}
}

func recursive(propagation uint64) uint32 {
	if propagation&unix.MS_REC != 0 {
		return 1
	}
	return 0
}
