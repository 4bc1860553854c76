// SPDX-License-Identifier: Apache-2.0

// Package rootfs makes the operations that build a container's file system
// tree: mounts, devices, links, masked and read-only paths.
//
// Sources of binds are looked up on the host, before anything of the container is
// mounted: so no path of the host is resolved inside the container, and no path of
// the image outside it. They are cloned as detached mounts in the runtime's mount
// namespace: by the child before it makes its own ([Tree.Make], [Tree.Approach]), or
// by the runtime where the child lacks its privileges ([Tree.Open]). A runtime without
// privileges over its mount namespace cannot clone mounts. Then the child opens the
// sources as soon as it has a mount namespace of its own, before it gives up the
// caller's user id.
package rootfs

import (
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"golang.org/x/sys/unix"
)

// Tree is the rootfs of one launch while its operations are made.
type Tree struct {
	decisions

	nodes []program.Slot // the host's device nodes, to bind
	stage program.Slot   // the directory with what was laid out; NoSlot if there is none
	Root  program.Slot   // the root directory; valid in all operations after [Tree.Attach]
	null  program.Slot
	late  []program.Entry // read-only flags that are set when everything below is made
}

// mount is one mount of the list with its descriptors.
type mount struct {
	plan.Mount // cgroup mounts resolved for this host
	decision
	slot   program.Slot // of the mount or of its source
	userNS program.Slot // of the user namespace that the child maps its ids with
	links  [][2]string  // symlinks to make in it: target, path from its root
}

// Setting is what the tree needs to know about the launch.
type Setting struct {
	// Shared: the container has the runtime's own mount namespace. The tree is
	// then mounted on the host, on the rootfs's path, and the root is changed
	// by chroot(2).
	Shared bool
	// NewMounts: the container has a new mount namespace, a copy of the
	// runtime's.
	NewMounts bool
	// UserNS: the container has a user namespace, in which neither device nodes
	// nor some file systems can be made.
	UserNS bool
	// Owner translates a device's ids in the container's user namespace to ids of
	// the host: root's for one that is not mapped. It is nil if the mappings are not
	// known.
	Owner func(uid, gid uint32) (hostUID, hostGID uint32)
	// Inside: the runtime is itself in a user namespace other than the host's.
	Inside bool
	// ByChild: the runtime may not clone mounts, so the child opens the sources.
	ByChild bool
	// RootByChild: the rootfs is on an unbindable mount, see [ErrRootByChild].
	RootByChild bool
	// Room is how many descriptors the child can have; 0: as many as it needs.
	Room int

	Cgroup CgroupView
	Host   Host
}

// New decides how the tree is made on this host, and reserves the slots of what
// [Tree.Open] and the child will open. It opens nothing itself.
func New(r plan.Rootfs, on Setting, p *program.Program) *Tree {
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
	t := &Tree{decisions: d, null: program.NoSlot, stage: program.NoSlot}
	for i := range t.mounts {
		t.mounts[i].slot, t.mounts[i].userNS = program.NoSlot, program.NoSlot
	}
	return t
}

// inherit reserves the slots of what the runtime opens, in the order of [Tree.Open].
func (t *Tree) inherit(p *program.Program) {
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

// fill reserves the slots of those selected mounts that the child opens.
func (t *Tree) fill(p *program.Program, which func(m *mount) bool) {
	for i := range t.mounts {
		if m := &t.mounts[i]; which(m) && m.way != link && m.way != change {
			m.slot = p.NewSlot()
		}
	}
}

// Spare is how many descriptors the child needs in addition to those of the program:
// for what it opens briefly, and for the numbers that it makes room for.
const Spare = 24

// Approach makes the directory where the root will be attached the working
// directory, for [Tree.Attach]: root in a user namespace may be unable to reach it.
// That is the rootfs itself, or the stage if there is one.
func (t *Tree) Approach(p *program.Program) {
	switch {
	case t.stages:
		t.layOutBefore(p)
	case t.approaches:
		p.Add("root.path", program.WorkDir{Path: t.plan.Path})
	}
}

// Attach adds the operations that attach the root at its path on the host. In a
// user namespace this happens while the child is still the user who may go there.
func (t *Tree) Attach(p *program.Program) {
	if t.propagation != 0 {
		p.Add("", program.Propagate{Path: "/", Propagation: t.propagation, Tree: true})
	}
	t.openByChild(p)
	t.find(p)
	t.guard(p)
	switch {
	case t.stages:
		t.enterStage(p)
	case t.retries:
		p.Add("", program.Again{})
	case t.has[layOut]:
		t.layOut(p)
	}
	if t.approaches {
		p.Add("root.path", program.Attach{Mount: t.Root, Destination: ""})
		p.Add("root.path", program.WorkDir{Path: "/"})
		return
	}
	p.Add("root.path", program.Attach{Mount: t.Root, Destination: t.plan.Path})
}

// openRootByChild adds the operations that open the root.
func (t *Tree) openRootByChild(p *program.Program) {
	p.Add("root.path", program.OpenTree{Out: t.Root, Path: t.plan.Path, Flags: cloneTree, Because: hostPath(t.plan.Path)})
	p.Add("root.path", program.SetAttr{Mount: t.Root, Attributes: program.Attributes{Propagation: t.base}, Tree: true})
}

// openByChild adds the operations that open what [Tree.Open] otherwise opens.
func (t *Tree) openByChild(p *program.Program) {
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

// openNull has the child clone a null device: the one on the stage, or else the
// host's. Whoever uses it checks that it is the null device.
func (t *Tree) openNull(p *program.Program) {
	if t.nullAt == atStage {
		p.Add("linux.maskedPaths", program.OpenTree{Out: t.null, From: t.stage, Path: laidNull, Flags: cloneMount})
		return
	}
	p.Add("linux.maskedPaths", program.OpenTree{Out: t.null, Path: "/dev/null", Flags: cloneMount | unix.AT_SYMLINK_NOFOLLOW, Because: hostPath("/dev/null")})
}

// maskOptions returns the options of the tmpfs over masked directories.
func (t *Tree) maskOptions() []string {
	if t.plan.MountLabel == "" {
		return nil
	}
	return []string{t.plan.MountLabel}
}

// Mounts adds the operations that attach all mounts, in the order of config.json.
func (t *Tree) Mounts(p *program.Program) {
	for i := range t.mounts {
		t.mount(p, &t.mounts[i])
	}
	if t.nullAt == inTurn || t.nullAt == atStage {
		t.openNull(p)
	}
}

// Enter adds the step into the new root.
func (t *Tree) Enter(p *program.Program) {
	const field = "root.path"
	switch {
	case t.Shared:
		p.Add(field, program.Chroot{Root: t.Root})
	case t.plan.NoPivot:
		p.Add(field, program.MoveRoot{Root: t.Root})
	default:
		p.Add(field, program.Pivot{Root: t.Root})
	}
}

// Seal adds what must wait until the tree is complete: read-only flags, masks, and
// the root's own propagation.
func (t *Tree) Seal(p *program.Program) {
	p.Ops = append(p.Ops, t.late...)
	masked := make(map[string]bool, len(t.plan.Masked))
	masks := unlessIn(masked, t.plan.Masked)
	for _, i := range unlessIn(masked, t.plan.ReadonlyP) { // a masked path needs no second mount under its mask
		p.Add(plan.At("linux.readonlyPaths", i), program.Readonly{Root: t.Root, Path: t.plan.ReadonlyP[i]})
	}
	for _, i := range masks {
		p.Add(plan.At("linux.maskedPaths", i), program.Mask{Null: t.null, Root: t.Root, Path: t.plan.Masked[i], Options: t.maskOptions()})
	}
	if t.plan.Readonly {
		p.Add("root.readonly", program.SetAttr{Mount: t.Root, Attributes: program.Attributes{Set: unix.MOUNT_ATTR_RDONLY}})
	}
	if n := t.plan.Propagation; n != 0 {
		p.Add("linux.rootfsPropagation", program.SetAttr{Mount: t.Root, Attributes: program.Attributes{Propagation: n &^ unix.MS_REC}, Tree: n&unix.MS_REC != 0})
	}
}

// unlessIn lists the indices of paths that are not in the set, and adds these paths
// to it.
func unlessIn(set map[string]bool, paths []string) (places []int) {
	for i, path := range paths {
		if !set[path] {
			set[path] = true
			places = append(places, i)
		}
	}
	return places
}
