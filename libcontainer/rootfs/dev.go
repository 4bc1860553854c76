package rootfs

import (
	"os"

	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// ownDev tells whether /dev is ours to fill: a bind on it brings its own
// content.
func (t *Tree) ownDev() bool {
	for i := range t.plan.Mounts {
		if m := &t.plan.Mounts[i]; m.Bind && m.Destination == "/dev" {
			return false
		}
	}
	return true
}

// Devices adds the device nodes, the links of runtime-linux.md ("Dev symbolic
// links") and /dev/ptmx.
func (t *Tree) Devices(p *plan.Program) {
	if !t.ownDev() {
		return
	}
	for i := range t.plan.Devices {
		d := &t.plan.Devices[i]
		node := plan.NoSlot
		if t.nodes != nil {
			node = t.nodes[i]
		}
		p.Add(plan.Op{
			Kind: plan.OpMknod, A: node, B: t.Root, S: []string{d.Path}, Flags: flag(t.Inside || t.ByChild), Field: d.Field,
			N: [3]uint64{uint64(d.Mode), uint64(d.Major)<<32 | uint64(d.Minor), uint64(d.UID)<<32 | uint64(d.GID)},
		})
	}
	links := [][2]string{
		{"/proc/self/fd", "/dev/fd"},
		{"/proc/self/fd/0", "/dev/stdin"},
		{"/proc/self/fd/1", "/dev/stdout"},
		{"/proc/self/fd/2", "/dev/stderr"},
	}
	if _, err := os.Lstat("/proc/kcore"); err == nil {
		links = append(links, [2]string{"/proc/kcore", "/dev/core"})
	}
	for _, l := range links {
		p.Add(plan.Op{Kind: plan.OpSymlink, B: t.Root, S: []string{l[0], l[1]}})
	}
	p.Add(plan.Op{Kind: plan.OpSymlink, B: t.Root, S: []string{"pts/ptmx", "/dev/ptmx"}, Flags: plan.SymlinkReplace})
}
