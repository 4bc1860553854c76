// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// newGroup resolves the container's cgroup, and the systemd unit that is to have
// it, if any.
func (h *Host) newGroup(l *plan.Launch) (*cgroup.Group, *unit, error) {
	c := cgroup.Config{
		Path: l.Cgroup.Path, ID: l.ID, Resources: l.Cgroup.Resources, OwnerUID: cgroupOwner(l),
		Rootless: h.Rootless, Disabled: h.NoCgroup, Foreign: l.Cgroup.Systemd,
	}
	if !l.Cgroup.Systemd {
		g, err := cgroup.New(c)
		return g, nil, err
	}
	u, err := h.newUnit(l)
	if err != nil {
		return nil, nil, err
	}
	c.Path = path.Join(u.path, l.Cgroup.Subgroup)
	g, err := cgroup.New(c)
	if err != nil {
		u.Close()
		return nil, nil, err
	}
	return g, u, nil
}

// cgroupOwner is the host's id of the user whom the container's cgroup is to
// belong to, if it is to: the one who runs the program, where that sees it as
// the root of a cgroup namespace of its own, and may write to it
// (config-linux.md, "Cgroup ownership").
func cgroupOwner(l *plan.Launch) *int {
	own := func(n plan.Namespace) bool { return n.Flag == unix.CLONE_NEWCGROUP && n.Path == "" }
	if !l.Cgroup.Mounted || !slices.ContainsFunc(l.Namespaces, own) {
		return nil
	}
	uid := l.Process.UID
	if namespaceFlags(l)&unix.CLONE_NEWUSER != 0 {
		var ok bool
		if uid, ok = proc.HostID(l.UserMaps.UID, uid); !ok {
			return nil
		}
	}
	owner := int(uid)
	return &owner
}

// endWait is how long to wait for killed processes to end.
const endWait = 10 * time.Second

// end kills what is in a group and removes it.
func end(g *cgroup.Group) error {
	if err := g.Kill(); err != nil {
		return err
	}
	return g.Remove(time.Now().Add(endWait))
}

// cgroupView is what a mount of type cgroup shows.
func cgroupView(l *plan.Launch, g *cgroup.Group) rootfs.CgroupView {
	v := rootfs.CgroupView{Namespace: namespaceFlags(l)&unix.CLONE_NEWCGROUP != 0}
	unified := ""
	for _, d := range inCgroups(g) {
		if d.Controllers != nil {
			v.Hierarchies = append(v.Hierarchies, hierarchy(d))
			continue
		}
		unified = d.Mount
	}
	if len(v.Hierarchies) == 0 {
		v.Unified = unified
	}
	return v
}

// inCgroups lists where the processes of a group are in each hierarchy.
func inCgroups(g *cgroup.Group) []cgroup.Directory {
	if g.Empty() {
		return g.Outside()
	}
	return g.Directories()
}

func hierarchy(d cgroup.Directory) rootfs.Hierarchy {
	h := rootfs.Hierarchy{Name: filepath.Base(d.Mount), Path: d.Path}
	for _, c := range d.Controllers {
		if strings.HasPrefix(c, "name=") {
			h.Options = append(h.Options, "none")
		}
		h.Options = append(h.Options, c)
	}
	return h
}
