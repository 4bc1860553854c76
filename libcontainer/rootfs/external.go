package rootfs

import (
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// External lists the mounts whose contents are not the container's own: binds,
// of which a checkpoint has the place alone.
func External(r plan.Rootfs, view CgroupView) (list []plan.Mount) {
	t := &Tree{Setting: Setting{Cgroup: view}, plan: r}
	for _, m := range t.expandCgroups(r.Mounts) {
		if m.Bind && !m.Remount && copiedLink(&m.Mount) == "" {
			list = append(list, m.Mount)
		}
	}
	return list
}

// HostNodes lists the nodes of the host that stand for the devices in a user
// namespace; an error if one of them is another device, or missing.
func HostNodes(devices []plan.Device) (paths []string, err error) {
	for i := range devices {
		d := &devices[i]
		f, err := openNode(d)
		if err != nil {
			return nil, err
		}
		f.Close()
		if d.Mode&unix.S_IFMT != unix.S_IFIFO {
			paths = append(paths, d.Path)
		}
	}
	return paths, nil
}
