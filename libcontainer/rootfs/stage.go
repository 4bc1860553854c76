// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"strconv"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"golang.org/x/sys/unix"
)

// ErrRootByChild means that the runtime cannot clone the rootfs, which is on an
// unbindable mount. The child can, in a mount namespace of its own.
var ErrRootByChild = errors.New("root.path: the rootfs is on an unbindable mount")

// layOutBefore makes the stage: it lays out the root, the sources of binds and device
// nodes in a mount namespace of the caller's own user namespace, below the working
// directory. The mount namespace that the child makes next, for a less privileged user
// namespace, is a copy of it, and the kernel locks what it copies: there, flags of the
// host's mounts cannot be cleared, and what they cover cannot be uncovered
// (mount_namespaces(7)). Detached mounts that came in any other way would not be locked.
//
// The sources are cloned first, in the runtime's mount namespace, as in [Tree.Make].
// Where there is no room for all of their descriptors, they are cloned and laid out
// one by one: this is why a container without a user namespace may have a stage, too.
func (t *Tree) layOutBefore(p *program.Program) {
	for i := range t.mounts {
		if m := &t.mounts[i]; m.way == layOut && m.when == atMake {
			t.openTree(p, m, m.slot)
		}
	}
	unshareMounts(p)
	p.Add("", program.Propagate{Path: "/", Propagation: t.ofStage, Tree: true})
	if t.retries {
		p.Add("", program.Again{})
	}
	if t.rootAt == atStage {
		t.openRootByChild(p)
	}
	t.layOut(p)
}

// Names on the stage; the sources of binds have numbers.
const (
	laidRoot = "root"
	laidNull = "null"
	laidNode = "node" // and a number
)

// layOut mounts a directory where the root will be attached, and lays out everything
// in it. While sources are being cloned it is unbindable, so that a recursive bind of a
// directory above does not bring it along.
func (t *Tree) layOut(p *program.Program) {
	const field = "root.path"
	t.stage = p.NewSlot()
	p.Add(field, program.FSMount{
		Out: t.stage, Type: "tmpfs", Source: "skiff", Options: append([]string{"mode=755"}, t.maskOptions()...),
		Set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC,
	})
	if t.tight {
		p.Add(field, program.SetAttr{Mount: t.stage, Attributes: program.Attributes{Propagation: unix.MS_UNBINDABLE}})
	}
	p.Add(field, program.Attach{Mount: t.stage, Destination: t.plan.Path})
	lay := func(slot program.Slot, name, field string) {
		p.Add(field, program.Attach{Mount: slot, Root: t.stage, Destination: "/" + name})
		p.Add("", program.Close{File: slot})
	}
	if t.stages {
		p.Add(field, program.WorkDir{Directory: t.stage})
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
		p.Add(field, program.SetAttr{Mount: t.stage, Attributes: program.Attributes{Propagation: unix.MS_PRIVATE}})
	}
	if t.stages {
		p.Add("", program.Close{File: t.stage}) // see enterStage
	}
}

// layNodes makes device nodes before the user namespace, which would refuse them. They
// are the container's own, with the owner and the mode of the configuration, on a file
// system that allows devices. Where the runtime may not make them either, as in a
// container, the host's nodes are laid out.
func (t *Tree) layNodes(p *program.Program) {
	for i := range t.plan.Devices {
		if d := &t.plan.Devices[i]; t.nodesAt == atStage && d.Mode&unix.S_IFMT != unix.S_IFIFO {
			t.layNode(p, d, laidNode+strconv.Itoa(i))
		}
	}
	if t.nullAt == atStage {
		t.layNode(p, &plan.Device{Field: "linux.maskedPaths", Path: "/dev/null", Mode: unix.S_IFCHR | 0o666, Major: 1, Minor: 3}, laidNull)
	}
}

func (t *Tree) layNode(p *program.Program, d *plan.Device, name string) {
	op := mknod(d)
	op.Root, op.Host, op.As = t.stage, true, "/"+name
	if t.Owner != nil {
		op.UID, op.GID = t.Owner(d.UID, d.GID)
	}
	p.Add(d.Field, op)
}

// enterStage opens the stage, and on it the root that [Tree.Approach] has laid out,
// which is locked now. Everything else is opened in its turn.
func (t *Tree) enterStage(p *program.Program) {
	if t.rootAt != never {
		p.Add("root.path", program.OpenTree{Out: t.Root, Path: laidRoot, Flags: cloneTree})
	}
	p.Add("root.path", program.OpenTree{Out: t.stage, Path: ".", Flags: unix.OPEN_TREE_CLOEXEC})
}

// unstage clones a source that was laid out, and sets its propagation only now: a
// shared mount becomes a slave when the mount namespace is copied, and an unbindable
// one could not be cloned.
func (t *Tree) unstage(p *program.Program, m *mount) {
	p.Add(m.Field, program.OpenTree{Out: m.slot, From: t.stage, Path: m.name, Flags: cloneTree | noFollow(m), Source: m.Source})
	t.propagate(p, m, m.slot)
}

// leaveStage closes the stage, through which the host's tree can be reached.
func (t *Tree) leaveStage(p *program.Program) {
	if t.stage != program.NoSlot {
		p.Add("", program.Close{File: t.stage})
	}
}
