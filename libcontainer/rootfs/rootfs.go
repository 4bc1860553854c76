// Package rootfs makes the operations that build a container's file system
// tree: mounts, devices, links, masked and read-only paths.
//
// The sources of binds are found as the host has them, before anything of the
// container is mounted: so no path of the host is resolved inside the
// container, and no path of the image outside it. They are cloned as detached
// mounts, in the runtime's mount namespace: by the child before it makes its own
// ([Tree.Make], [Tree.Approach]), or by the runtime, where the child has not its
// rights ([Tree.Open]). A runtime without privileges over its mount namespace can clone
// no mount: then the child finds them, as soon as it has a mount namespace of
// its own and before it gives up the caller's user id.
package rootfs

import (
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// Tree is the rootfs of one launch, on its way to operations.
type Tree struct {
	decisions

	nodes []plan.Slot // the host's device nodes, to bind
	stage plan.Slot   // the directory that has what was laid out; NoSlot without it
	Root  plan.Slot   // the root directory; valid in all operations after [Tree.Attach]
	null  plan.Slot
	late  []plan.Op // read-only flags that wait until nothing has to be made below
}

// mount is one mount of the list, and its descriptors.
type mount struct {
	plan.Mount // cgroup mounts resolved for this host
	decision
	slot   plan.Slot   // of the mount, or of its source
	userNS plan.Slot   // of the user namespace that the child maps its ids with
	links  [][2]string // symlinks to make in it: target, path from its root
}

// Setting is what the tree has to know of the launch.
type Setting struct {
	// Shared: the container has the runtime's own mount namespace. The tree is
	// then mounted on the host, on the rootfs's path, and the root is changed
	// by chroot(2).
	Shared bool
	// NewMounts: the container has a new mount namespace, a copy of the
	// runtime's.
	NewMounts bool
	// UserNS: the container has a user namespace, in which no device node can
	// be made, and not each file system.
	UserNS bool
	// Owner gives the ids of the host for those of a device in the container's
	// user namespace, root's for one that is not mapped; nil where the mappings
	// are not known.
	Owner func(uid, gid uint32) (hostUID, hostGID uint32)
	// Inside: so has the runtime.
	Inside bool
	// ByChild: the runtime may not clone mounts; the child opens the sources.
	ByChild bool
	// RootByChild: the rootfs is on an unbindable mount, see [ErrRootByChild].
	RootByChild bool
	// Room is how many descriptors the child can have; 0: as many as it needs.
	Room int

	Cgroup CgroupView
	Host   Host
}

// New decides how the tree is made on this host, and reserves the slots of what
// [Tree.Open] will open. It opens nothing itself.
func New(r plan.Rootfs, on Setting, p *plan.Program) *Tree {
	t := newTree(decide(r, env{Setting: on, used: p.Slots}))
	t.inherit(p)
	if t.rootAt != atOpen {
		t.Root = p.NewSlot()
	}
	if t.nullAt == atAttach {
		t.null = p.NewSlot()
	}
	t.fill(p, func(m *mount) bool { return m.when == atAttach })
	t.fill(p, func(m *mount) bool { return m.when != atOpen && m.when != atAttach })
	if t.nullAt == inTurn || t.nullAt == atStage {
		t.null = p.NewSlot()
	}
	return t
}

func newTree(d decisions) *Tree {
	t := &Tree{decisions: d, null: plan.NoSlot, stage: plan.NoSlot}
	for i := range t.mounts {
		t.mounts[i].slot, t.mounts[i].userNS = plan.NoSlot, plan.NoSlot
	}
	return t
}

// inherit reserves the slots of what the runtime opens, see [Tree.Open].
func (t *Tree) inherit(p *plan.Program) {
	for i := range t.mounts {
		if m := &t.mounts[i]; m.ids == mapByChild {
			m.userNS = p.Inherit(1)
		}
	}
	if t.rootAt == atOpen {
		t.Root = p.Inherit(1)
	}
	if t.nullAt == atOpen {
		t.null = p.Inherit(1)
	}
	if t.nodesAt == atOpen {
		for range t.plan.Devices {
			t.nodes = append(t.nodes, p.Inherit(1))
		}
	}
	for i := range t.mounts {
		if m := &t.mounts[i]; m.when == atOpen {
			m.slot = p.Inherit(1)
		}
	}
	p.Inherit(0)
}

// fill reserves the slots of those mounts that the child opens.
func (t *Tree) fill(p *plan.Program, which func(m *mount) bool) {
	for i := range t.mounts {
		if m := &t.mounts[i]; which(m) && m.way != link && m.way != change {
			m.slot = p.NewSlot()
		}
	}
}

// Spare is how many descriptors the child needs besides those of the program:
// what it opens for a moment, and the numbers it makes room for.
const Spare = 24

// Approach makes the directory where the root goes the working directory, for
// [Tree.Attach]: the root of a user namespace may have no way there. It is the
// rootfs's own, or one with what has been laid out.
func (t *Tree) Approach(p *plan.Program) {
	switch {
	case t.stages:
		t.layOutBefore(p)
	case t.approaches:
		p.Add(plan.Op{Kind: plan.OpWorkDir, S: []string{t.plan.Path}, Field: "root.path"})
	}
}

// Attach adds the operations that attach the root at its path on the host: in
// a user namespace while we still are the user who may go there.
func (t *Tree) Attach(p *plan.Program) {
	if t.propagation != 0 {
		p.Add(plan.Op{Kind: plan.OpPropagate, S: []string{"/"}, N: [3]uint64{t.propagation}, Flags: 1})
	}
	t.openByChild(p)
	t.find(p)
	t.guard(p)
	switch {
	case t.stages:
		t.enterStage(p)
	case t.retries:
		p.Add(plan.Op{Kind: plan.OpAgain})
	case t.has[layOut]:
		t.layOut(p)
	}
	if t.approaches {
		p.Add(plan.Op{Kind: plan.OpAttach, A: t.Root, S: []string{""}, Field: "root.path"})
		p.Add(plan.Op{Kind: plan.OpWorkDir, S: []string{"/"}, Field: "root.path"})
		return
	}
	p.Add(plan.Op{Kind: plan.OpAttach, A: t.Root, S: []string{t.plan.Path}, Field: "root.path"})
}

// openRootByChild adds the operations that open the root.
func (t *Tree) openRootByChild(p *plan.Program) {
	p.Add(plan.Op{Kind: plan.OpOpenTree, A: t.Root, S: []string{t.plan.Path}, N: [3]uint64{cloneTree}, Field: "root.path"})
	p.Add(plan.Op{Kind: plan.OpSetAttr, A: t.Root, N: [3]uint64{0, 0, t.base}, Flags: 1, Field: "root.path"})
}

// openByChild adds the operations that open what [Tree.Open] opens elsewhere.
func (t *Tree) openByChild(p *plan.Program) {
	if t.rootAt == atAttach {
		t.openRootByChild(p)
	}
	if t.nullAt == atAttach {
		t.openNull(p)
	}
	for i := range t.mounts {
		if m := &t.mounts[i]; m.when == atAttach {
			t.openTree(p, m, m.slot)
		}
	}
}

// openNull lets the child clone a null device, the host's where none was laid
// out; that it is the null device is checked where it is used.
func (t *Tree) openNull(p *plan.Program) {
	if t.nullAt == atStage {
		p.Add(plan.Op{Kind: plan.OpOpenTree, A: t.null, B: t.stage, S: []string{laidNull}, N: [3]uint64{cloneMount}, Field: "linux.maskedPaths"})
		return
	}
	p.Add(plan.Op{Kind: plan.OpOpenTree, A: t.null, S: []string{"/dev/null"}, N: [3]uint64{cloneMount | unix.AT_SYMLINK_NOFOLLOW}, Field: "linux.maskedPaths"})
}

// maskOptions are those of the tmpfs over masked directories.
func (t *Tree) maskOptions() []string {
	if t.plan.MountLabel == "" {
		return nil
	}
	return []string{t.plan.MountLabel}
}

// Mounts adds the operations that make all mounts, in the order of
// config.json.
func (t *Tree) Mounts(p *plan.Program) {
	for i := range t.mounts {
		t.mount(p, &t.mounts[i])
	}
	if t.nullAt == inTurn || t.nullAt == atStage {
		t.openNull(p)
	}
}

// Enter adds the step into the new root.
func (t *Tree) Enter(p *plan.Program) {
	kind := plan.OpPivot
	switch {
	case t.Shared:
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
	masked := make(map[string]bool, len(t.plan.Masked))
	masks := unlessIn(masked, t.plan.Masked)
	for _, i := range unlessIn(masked, t.plan.ReadonlyP) { // what is masked needs no other mount below the mask
		p.Add(plan.Op{Kind: plan.OpReadonly, B: t.Root, S: []string{t.plan.ReadonlyP[i]}, Field: index("linux.readonlyPaths", i)})
	}
	for _, i := range masks {
		p.Add(plan.Op{Kind: plan.OpMask, A: t.null, B: t.Root, S: append([]string{t.plan.Masked[i]}, t.maskOptions()...), Field: index("linux.maskedPaths", i)})
	}
	if t.plan.Readonly {
		p.Add(plan.Op{Kind: plan.OpSetAttr, A: t.Root, N: [3]uint64{unix.MOUNT_ATTR_RDONLY}, Field: "root.readonly"})
	}
	if n := t.plan.Propagation; n != 0 {
		p.Add(plan.Op{Kind: plan.OpSetAttr, A: t.Root, N: [3]uint64{0, 0, n &^ unix.MS_REC}, Flags: recursive(n), Field: "linux.rootfsPropagation"})
	}
}

// unlessIn lists the places of paths that are not in the set, and adds them to it.
func unlessIn(set map[string]bool, paths []string) (places []int) {
	for i, path := range paths {
		if !set[path] {
			set[path] = true
			places = append(places, i)
		}
	}
	return places
}

func recursive(propagation uint64) uint32 { return flag(propagation&unix.MS_REC != 0) }

func flag(on bool) uint32 {
	if on {
		return 1
	}
	return 0
}
