// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"strconv"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"golang.org/x/sys/unix"
)

// Devices adds the operations that make the device nodes, the links of
// runtime-linux.md ("Dev symbolic links") and /dev/ptmx. It comes after [Tree.Mounts],
// and closes the stage.
func (t *Tree) Devices(p *program.Program) {
	if t.fillsDev {
		t.makeDevices(p)
		t.linkDevices(p)
	}
	t.leaveStage(p)
}

func (t *Tree) makeDevices(p *program.Program) {
	laid := program.NoSlot
	for i := range t.plan.Devices {
		d := &t.plan.Devices[i]
		if t.nodesAt != atStage || d.Mode&unix.S_IFMT == unix.S_IFIFO {
			op := mknod(d)
			op.Root, op.Host = t.Root, t.hostNodes
			if t.nodes != nil {
				op.Bind = t.nodes[i]
			}
			p.Add(d.Field, op)
			continue
		}
		if laid == program.NoSlot {
			laid = p.NewSlot()
		}
		p.Add(d.Field, program.OpenTree{Out: laid, From: t.stage, Path: laidNode + strconv.Itoa(i), Flags: cloneMount})
		op := mknod(d)
		op.Root, op.Bind, op.Own = t.Root, laid, true
		p.Add(d.Field, op)
		p.Add("", program.Close{File: laid})
	}
}

// mknod returns the operation that makes a device node.
func mknod(d *plan.Device) program.Mknod {
	return program.Mknod{Path: d.Path, Mode: d.Mode, Major: d.Major, Minor: d.Minor, UID: d.UID, GID: d.GID}
}

func (t *Tree) linkDevices(p *program.Program) {
	links := [][2]string{
		{"/proc/self/fd", "/dev/fd"},
		{"/proc/self/fd/0", "/dev/stdin"},
		{"/proc/self/fd/1", "/dev/stdout"},
		{"/proc/self/fd/2", "/dev/stderr"},
	}
	if t.kcore {
		links = append(links, [2]string{"/proc/kcore", "/dev/core"})
	}
	for _, l := range links {
		p.Add("", program.Symlink{Root: t.Root, Target: l[0], Path: l[1]})
	}
	p.Add("", program.Symlink{Root: t.Root, Target: "pts/ptmx", Path: "/dev/ptmx", Replace: true})
}
