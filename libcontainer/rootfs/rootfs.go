// Package rootfs makes the operations that build a container's file system
// tree: mounts, devices, links, masked and read-only paths.
//
// The sources of binds are found as the host has them, before anything of the
// container is mounted: so no path of the host is resolved inside the
// container, and no path of the image outside it. They are cloned as detached
// mounts, in the runtime's mount namespace: by the child before it makes its own
// ([Tree.Make], [Tree.Stage]), or by the runtime, where the child has not its
// rights ([Tree.Open]). A runtime without privileges over its mount namespace can clone
// no mount: then the child finds them, as soon as it has a mount namespace of
// its own and before it gives up the caller's user id.
package rootfs

import (
	"slices"
	"strconv"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// Tree is the rootfs of one launch, on its way to operations.
type Tree struct {
	Setting
	plan   plan.Rootfs
	mounts []mount // the plan's mounts, cgroup mounts resolved for this host

	nodes []plan.Slot // in a user namespace that has no stage: the host's device nodes, to bind
	here  bool        // the working directory is where the root goes, see [Tree.Approach]

	added     bool      // see [Added]
	stages    bool      // see [Tree.Stage]
	tight     bool      // there are not as many descriptors as mounts: what was attached is closed
	remounted []string  // where there is a remount, so that the mount stays open
	stage     plan.Slot // the directory that has what was laid out; NoSlot without it

	Root plan.Slot // the root directory; valid in all operations after [Tree.Attach]
	null plan.Slot
	late []plan.Op // read-only flags that wait until nothing has to be made below
}

// mount is one mount to make: the plan's, and where its source comes from.
type mount struct {
	plan.Mount
	way    way
	index  int         // in the list
	slot   plan.Slot   // of the mount, or of its source
	target string      // of the symlink that is made in place of a mount
	waits  bool        // for the container's tree, or comes after one that does
	made   bool        // see [Tree.Make]
	name   string      // of the source where it is laid out
	ids    plan.Slot   // of the user namespace that the child maps it with; NoSlot if there is none
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
}

// New resolves the plan's mounts for this host and reserves the slots of what
// [Open] will open. It opens nothing itself.
func New(r plan.Rootfs, on Setting, p *plan.Program) *Tree {
	t := &Tree{Setting: on, plan: r, null: plan.NoSlot, stage: plan.NoSlot}
	t.mounts = t.expandCgroups(r.Mounts)
	t.tight = on.Room > 0 && on.Room < len(t.mounts)+p.Slots+Spare
	t.stages = on.NewMounts && !on.ByChild && (on.UserNS || t.tight && !t.keepsPropagation())
	t.choose()
	for i := range t.mounts {
		m := &t.mounts[i]
		if m.Remount && t.tight {
			t.remounted = append(t.remounted, m.Destination)
		}
		m.index, m.slot, m.ids = i, plan.NoSlot, plan.NoSlot
		if t.mapsByChild(m) {
			m.ids = p.Inherit(1)
		}
	}
	reserve := func() plan.Slot { return p.Inherit(1) }
	if t.ByChild {
		p.Inherit(0)
		reserve = p.NewSlot
	}
	if !t.RootByChild {
		t.Root = reserve()
	}
	if len(r.Masked) > 0 && !t.findsNull() {
		t.null = reserve()
	}
	if t.UserNS && !t.ByChild && !t.makesNodes() && t.ownDev() {
		for range r.Devices {
			t.nodes = append(t.nodes, reserve())
		}
	}
	for i := range t.mounts {
		if m := &t.mounts[i]; m.way == ahead {
			m.slot = reserve()
		}
	}
	if t.RootByChild {
		p.Inherit(0)
		t.Root = p.NewSlot()
	}
	for i := range t.mounts { // after all that are inherited
		m := &t.mounts[i]
		if m.way != ahead && m.way != copied && !m.Remount {
			m.slot = p.NewSlot()
		}
		if m.way == ahead || m.way == laid {
			m.name = strconv.Itoa(i)
		}
	}
	if len(r.Masked) > 0 && t.findsNull() {
		t.null = p.NewSlot()
	}
	slices.Sort(t.remounted)
	return t
}

// Spare is how many descriptors the child needs besides those of the program:
// what it opens for a moment, and the numbers it makes room for.
const Spare = 24

// mapsByChild tells that the child makes m an idmapped mount, and not the runtime.
func (t *Tree) mapsByChild(m *mount) bool {
	return m.IDMap != nil && m.way != ahead && m.way != copied && !(m.Bind && t.ByChild) && !t.mapsAsked(m) // see checkMapped
}

// mapsAsked tells that the child asks the runtime to make m an idmapped mount: a
// bind of what is in the rootfs, which the child alone can find, while its user
// namespace need not own the file system; and all where there is no room for
// their user namespaces' descriptors.
func (t *Tree) mapsAsked(m *mount) bool {
	return m.IDMap != nil && m.way != ahead && m.way != copied && !t.ByChild && (t.tight || m.way == below && t.UserNS)
}

// findsNull tells that the child clones the null device for masks when the
// mounts are made: so masks come after these in mountinfo.
func (t *Tree) findsNull() bool { return t.sameRights() || t.makesNodes() }

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

// Approach makes the rootfs's directory the working directory, for
// [Tree.Attach]: the root of a user namespace may have no way there.
func (t *Tree) Approach(p *plan.Program) {
	if t.ByChild || t.Shared {
		return
	}
	t.here = true
	p.Add(plan.Op{Kind: plan.OpWorkDir, S: []string{t.plan.Path}, Field: "root.path"})
}

// Attach adds the operations that attach the root at its path on the host: in
// a user namespace while we still are the user who may go there.
func (t *Tree) Attach(p *plan.Program) {
	if !t.Shared {
		propagation := t.base()
		if t.has(found) {
			propagation = unix.MS_SLAVE // unlike a private mount, an unbindable one stays so
		}
		if t.RootByChild && !t.stages {
			propagation = unix.MS_PRIVATE // which no mount is kept unbindable by
		}
		p.Add(plan.Op{Kind: plan.OpPropagate, S: []string{"/"}, N: [3]uint64{propagation}, Flags: 1})
	}
	switch {
	case t.ByChild:
		t.openByChild(p)
	case t.RootByChild && !t.stages:
		t.openRootByChild(p)
	}
	t.find(p)
	t.guard(p)
	switch {
	case t.has(first):
		p.Add(plan.Op{Kind: plan.OpAgain})
	case t.stages:
		t.enterStage(p)
	case t.has(laid):
		t.layOut(p)
	}
	if t.here {
		p.Add(plan.Op{Kind: plan.OpAttach, A: t.Root, S: []string{""}, Field: "root.path"})
		p.Add(plan.Op{Kind: plan.OpWorkDir, S: []string{"/"}, Field: "root.path"})
		return
	}
	p.Add(plan.Op{Kind: plan.OpAttach, A: t.Root, S: []string{t.plan.Path}, Field: "root.path"})
}

// openRootByChild adds the operations that open the root.
func (t *Tree) openRootByChild(p *plan.Program) {
	p.Add(plan.Op{Kind: plan.OpOpenTree, A: t.Root, S: []string{t.plan.Path}, N: [3]uint64{cloneTree}, Field: "root.path"})
	p.Add(plan.Op{Kind: plan.OpSetAttr, A: t.Root, N: [3]uint64{0, 0, t.base()}, Flags: 1, Field: "root.path"})
}

// openByChild adds the operations that open what [Tree.Open] opens elsewhere.
func (t *Tree) openByChild(p *plan.Program) {
	t.openRootByChild(p)
	if t.null != plan.NoSlot {
		t.openNull(p)
	}
	for i := range t.mounts {
		if m := &t.mounts[i]; m.way == ahead {
			t.openTree(p, m, m.slot)
		}
	}
}

// openNull lets the child clone a null device, the host's where none was laid
// out; that it is the null device is checked where it is used.
func (t *Tree) openNull(p *plan.Program) {
	if t.makesNodes() {
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
	if t.null != plan.NoSlot && t.findsNull() {
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
		p.Add(plan.Op{Kind: plan.OpReadonly, B: t.Root, S: []string{t.plan.ReadonlyP[i]}, Field: plan.At("linux.readonlyPaths", i)})
	}
	for _, i := range masks {
		p.Add(plan.Op{Kind: plan.OpMask, A: t.null, B: t.Root, S: append([]string{t.plan.Masked[i]}, t.maskOptions()...), Field: plan.At("linux.maskedPaths", i)})
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
