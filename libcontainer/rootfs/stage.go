package rootfs

import (
	"errors"
	"slices"
	"strconv"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// ErrRootByChild says that the runtime cannot clone the rootfs, which is on an
// unbindable mount. In a mount namespace of its own the child can.
var ErrRootByChild = errors.New("root.path: the rootfs is on an unbindable mount")

// layOutBefore lays out the root, the sources of binds and device nodes in a mount
// namespace of the caller's own user namespace, below the working directory. A
// new mount namespace of a less privileged user takes the working directory
// along, and locks what it copies: flags of the host's mounts cannot be cleared
// there, nor can what they cover be uncovered (mount_namespaces(7)). Detached
// mounts that are brought in otherwise are not locked.
//
// The sources are cloned before, in the runtime's mount namespace, as in
// [Tree.Make]. Where there is no room for the descriptors of all, they are
// cloned and laid out one by one: this is why a container without user namespace
// may have a stage, too.
func (t *Tree) layOutBefore(p *plan.Program) {
	for i := range t.mounts {
		if m := &t.mounts[i]; m.way == layOut && m.when == atMake {
			t.openTree(p, m, m.slot)
		}
	}
	unshareMounts(p)
	p.Add(plan.Op{Kind: plan.OpPropagate, S: []string{"/"}, N: [3]uint64{t.ofStage}, Flags: 1})
	if t.retries {
		p.Add(plan.Op{Kind: plan.OpAgain})
	}
	if t.rootAt == atStage {
		t.openRootByChild(p)
	}
	t.layOut(p)
}

// Names of what is laid out besides the sources of binds, which have numbers.
const (
	laidRoot = "root"
	laidNull = "null"
	laidNode = "node" // and a number
)

// layOut makes a directory where the root is to be attached, with what is laid
// out. As long as sources are cloned, it is unbindable: a recursive bind of a
// directory above is not to bring it along.
func (t *Tree) layOut(p *plan.Program) {
	const field = "root.path"
	t.stage = p.NewSlot()
	p.Add(plan.Op{Kind: plan.OpFsMount, A: t.stage, S: slices.Concat([]string{"tmpfs", "skiff", "mode=755"}, t.maskOptions()),
		N: [3]uint64{unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC}, Field: field})
	if t.tight {
		p.Add(plan.Op{Kind: plan.OpSetAttr, A: t.stage, N: [3]uint64{0, 0, unix.MS_UNBINDABLE}, Field: field})
	}
	p.Add(plan.Op{Kind: plan.OpAttach, A: t.stage, S: []string{t.plan.Path}, Field: field})
	lay := func(slot plan.Slot, name, field string) {
		p.Add(plan.Op{Kind: plan.OpAttach, A: slot, B: t.stage, S: []string{"/" + name}, Field: field})
		p.Add(plan.Op{Kind: plan.OpClose, A: slot})
	}
	if t.stages {
		p.Add(plan.Op{Kind: plan.OpWorkDir, A: t.stage, Field: field})
		if t.rootAt != never {
			lay(t.Root, laidRoot, field)
		}
	}
	for i := range t.mounts {
		m := &t.mounts[i]
		if m.when == atStage {
			t.openTree(p, m, m.slot)
		}
		if m.name != "" {
			lay(m.slot, m.name, m.Field)
		}
	}
	t.layNodes(p)
	if t.tight {
		p.Add(plan.Op{Kind: plan.OpSetAttr, A: t.stage, N: [3]uint64{0, 0, unix.MS_PRIVATE}, Field: field})
	}
	if t.stages {
		p.Add(plan.Op{Kind: plan.OpClose, A: t.stage}) // see enterStage
	}
}

// layNodes makes device nodes, which a user namespace refuses, before it: they are
// the container's own, with the owner and the mode that the configuration has, on a
// file system in which nodes are devices. Where that is refused to the runtime, too,
// as in a container, the host's are laid out.
func (t *Tree) layNodes(p *plan.Program) {
	for i := range t.plan.Devices {
		if d := &t.plan.Devices[i]; t.nodesAt == atStage && d.Mode&unix.S_IFMT != unix.S_IFIFO {
			t.layNode(p, d, laidNode+strconv.Itoa(i))
		}
	}
	if t.nullAt == atStage {
		t.layNode(p, &plan.Device{Field: "linux.maskedPaths", Path: "/dev/null", Mode: unix.S_IFCHR | 0o666, Major: 1, Minor: 3}, laidNull)
	}
}

func (t *Tree) layNode(p *plan.Program, d *plan.Device, name string) {
	op := t.mknod(p, d)
	op.B, op.Flags = t.stage, plan.MknodHost
	op.S = append(op.S, "/"+name)
	if t.Owner != nil {
		uid, gid := t.Owner(d.UID, d.GID)
		op.N[2] = uint64(uid)<<32 | uint64(gid)
	}
}

// enterStage opens the root again as [Tree.Approach] has laid it out: it is locked
// now. All else waits for its turn.
func (t *Tree) enterStage(p *plan.Program) {
	if t.rootAt != never {
		p.Add(plan.Op{Kind: plan.OpOpenTree, A: t.Root, S: []string{laidRoot}, N: [3]uint64{cloneTree}, Field: "root.path"})
	}
	p.Add(plan.Op{Kind: plan.OpOpenTree, A: t.stage, S: []string{"."}, N: [3]uint64{unix.OPEN_TREE_CLOEXEC}, Field: "root.path"})
}

// unstage clones a source that was laid out. What is shared becomes a slave when
// the mount namespace is copied, and what is unbindable could not be cloned: so
// its propagation is set now.
func (t *Tree) unstage(p *plan.Program, m *mount) {
	p.Add(plan.Op{Kind: plan.OpOpenTree, A: m.slot, B: t.stage, S: []string{m.name}, N: [3]uint64{cloneTree | noFollow(m)}, Field: m.Field})
	t.propagate(p, m, m.slot)
}

// leaveStage closes the directory, which leads to the host's tree.
func (t *Tree) leaveStage(p *plan.Program) {
	if t.stage != plan.NoSlot {
		p.Add(plan.Op{Kind: plan.OpClose, A: t.stage})
	}
}
