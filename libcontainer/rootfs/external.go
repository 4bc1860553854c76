// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// External lists the mounts whose contents are not the container's own: binds, of
// which a checkpoint has only the mount point.
func External(r plan.Rootfs, view CgroupView, host Host) (list []plan.Mount) {
	d := decide(r, env{Setting: Setting{Cgroup: view, Host: host}})
	for i := range d.mounts {
		if m := &d.mounts[i]; m.Bind && m.way != change && m.way != link {
			list = append(list, m.Mount)
		}
	}
	return list
}

// NodeName returns the name that a device in a user namespace, where it is a mount,
// has in the images of a checkpoint.
func NodeName(d *plan.Device) string { return "node:" + d.Path }

// OwnDevices lists the devices that are mounts in a user namespace.
func OwnDevices(devices []plan.Device) (list []*plan.Device) {
	for i := range devices {
		if d := &devices[i]; d.Mode&unix.S_IFMT != unix.S_IFIFO {
			list = append(list, d)
		}
	}
	return list
}
