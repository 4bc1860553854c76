package rootfs

import (
	"strconv"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// Devices adds the device nodes, the links of runtime-linux.md ("Dev symbolic
// links") and /dev/ptmx. It ends what [Tree.Mounts] has begun.
func (t *Tree) Devices(p *plan.Program) {
	if t.fillsDev {
		t.makeDevices(p)
		t.linkDevices(p)
	}
	t.leaveStage(p)
}

func (t *Tree) makeDevices(p *plan.Program) {
	laid := plan.NoSlot
	for i := range t.plan.Devices {
		d := &t.plan.Devices[i]
		if t.nodesAt != atStage || d.Mode&unix.S_IFMT == unix.S_IFIFO {
			op := t.mknod(p, d)
			op.B, op.Flags = t.Root, flag(t.hostNodes)*plan.MknodHost
			if t.nodes != nil {
				op.A = t.nodes[i]
			}
			continue
		}
		if laid == plan.NoSlot {
			laid = p.NewSlot()
		}
		p.Add(plan.Op{Kind: plan.OpOpenTree, A: laid, B: t.stage, S: []string{laidNode + strconv.Itoa(i)}, N: [3]uint64{cloneMount}, Field: d.Field})
		op := t.mknod(p, d)
		op.A, op.B, op.Flags = laid, t.Root, plan.MknodOwn
		p.Add(plan.Op{Kind: plan.OpClose, A: laid})
	}
}

// mknod adds an operation that makes a device.
func (t *Tree) mknod(p *plan.Program, d *plan.Device) *plan.Op {
	return p.Add(plan.Op{
		Kind: plan.OpMknod, S: []string{d.Path}, Field: d.Field,
		N: [3]uint64{uint64(d.Mode), uint64(d.Major)<<32 | uint64(d.Minor), uint64(d.UID)<<32 | uint64(d.GID)},
	})
}

func (t *Tree) linkDevices(p *plan.Program) {
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
		p.Add(plan.Op{Kind: plan.OpSymlink, B: t.Root, S: []string{l[0], l[1]}})
	}
	p.Add(plan.Op{Kind: plan.OpSymlink, B: t.Root, S: []string{"pts/ptmx", "/dev/ptmx"}, Flags: plan.SymlinkReplace})
}
