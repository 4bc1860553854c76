// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// defaultDevices are the devices of config-linux.md, "Default Devices", except
// /dev/console, which is made with the terminal, and /dev/ptmx, which is a link.
var defaultDevices = [...]plan.Device{
	{Path: "/dev/null", Mode: unix.S_IFCHR | 0o666, Major: 1, Minor: 3},
	{Path: "/dev/zero", Mode: unix.S_IFCHR | 0o666, Major: 1, Minor: 5},
	{Path: "/dev/full", Mode: unix.S_IFCHR | 0o666, Major: 1, Minor: 7},
	{Path: "/dev/random", Mode: unix.S_IFCHR | 0o666, Major: 1, Minor: 8},
	{Path: "/dev/urandom", Mode: unix.S_IFCHR | 0o666, Major: 1, Minor: 9},
	{Path: "/dev/tty", Mode: unix.S_IFCHR | 0o666, Major: 5, Minor: 0},
}

// deviceType returns the file type bits of a mode (S_IFMT) for a device type, or 0 for an
// unknown one.
func deviceType(name string) uint32 {
	switch name {
	case "c", "u":
		return unix.S_IFCHR
	case "b":
		return unix.S_IFBLK
	case "p":
		return unix.S_IFIFO
	}
	return 0
}

func (c *compiler) devices() {
	var list []plan.Device
	for i := range c.linux.Devices {
		d, ok := c.device(&c.linux.Devices[i], at("linux.devices", i))
		if ok && d.Path != "/dev/ptmx" { // always a link to the container's pts/ptmx
			list = append(list, d)
		}
	}
	given := len(list)
	for _, d := range defaultDevices {
		if !hasPath(list[:given], d.Path) {
			list = append(list, d)
		}
	}
	c.out.Rootfs.Devices = list
}

func hasPath(list []plan.Device, path string) bool {
	for i := range list {
		if list[i].Path == path {
			return true
		}
	}
	return false
}

func (c *compiler) device(d *specs.LinuxDevice, field string) (plan.Device, bool) {
	before := len(c.bad)
	out := plan.Device{Field: field, Path: filepath.Clean(d.Path), Mode: 0o666}
	if !filepath.IsAbs(d.Path) || out.Path == "/" {
		c.fault(field+".path", "%q must be an absolute path", d.Path)
	}
	kind := deviceType(d.Type)
	if kind == 0 {
		c.fault(field+".type", "must be c, u, b or p, not %q", d.Type)
	}
	if d.FileMode != nil {
		out.Mode = uint32(*d.FileMode) &^ unix.S_IFMT // some configurations include the file type
		if out.Mode > 0o7777 {
			c.fault(field+".fileMode", "must be between 0 and %d (07777 in octal), not %d", 0o7777, uint32(*d.FileMode))
		}
	}
	out.Mode |= kind
	if d.Type != "p" {
		out.Major = c.deviceNumber(d.Major, 1<<12-1, field+".major")
		out.Minor = c.deviceNumber(d.Minor, 1<<20-1, field+".minor")
	}
	if d.Type == "p" && d.Major|d.Minor != 0 {
		c.warn(field, "major and minor have no effect on a FIFO")
	}
	if d.UID != nil {
		out.UID = *d.UID
	}
	if d.GID != nil {
		out.GID = *d.GID
	}
	return out, len(c.bad) == before
}

// deviceNumber checks a major or minor number: the kernel has 12 bits for the major number
// and 20 for the minor one.
func (c *compiler) deviceNumber(n, limit int64, field string) uint32 {
	if n < 0 || n > limit {
		c.fault(field, "must be between 0 and %d, not %d", limit, n)
		return 0
	}
	return uint32(n)
}
