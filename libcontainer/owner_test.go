// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// The owner is the host's uid of process.user.uid if the container has a cgroup
// namespace of its own and a writable cgroup mount.
func TestCgroupOwner(t *testing.T) {
	cgroupns := plan.Namespace{Flag: unix.CLONE_NEWCGROUP}
	joined := plan.Namespace{Flag: unix.CLONE_NEWCGROUP, Path: "/proc/1/ns/cgroup"}
	userns := plan.Namespace{Flag: unix.CLONE_NEWUSER}
	maps := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 1000}}
	for _, c := range []struct {
		name    string
		ns      []plan.Namespace
		mounted bool
		uid     uint32
		want    int
	}{
		{"root of a user namespace", []plan.Namespace{cgroupns, userns}, true, 0, 100000},
		{"user of a user namespace", []plan.Namespace{cgroupns, userns}, true, 7, 100007},
		{"user that is not mapped", []plan.Namespace{cgroupns, userns}, true, 1000, -1},
		{"user of the host", []plan.Namespace{cgroupns}, true, 7, 7},
		{"read-only mount or none", []plan.Namespace{cgroupns, userns}, false, 0, -1},
		{"no cgroup namespace", []plan.Namespace{userns}, true, 0, -1},
		{"joined cgroup namespace", []plan.Namespace{joined, userns}, true, 0, -1},
	} {
		l := &plan.Launch{Namespaces: c.ns, UserMaps: plan.UserMaps{UID: maps}}
		l.Cgroup.Mounted, l.Process.UID = c.mounted, c.uid
		got := -1
		if owner := cgroupOwner(l); owner != nil {
			got = *owner
		}
		if got != c.want {
			t.Errorf("%s: %d, expected %d", c.name, got, c.want)
		}
	}
}

// The owner of the state directory is named as in passwd(5).
func TestUserName(t *testing.T) {
	const passwd = "# a remark\n#gone:x:7:7::/:\nroot:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/root:\n+nis:x:8:8::/:\nshort:x:9\nann:x:1000:100:Ann:/home/ann:/bin/sh"
	for uid, want := range map[uint32]string{0: "root", 1000: "ann", 7: "#7", 8: "#8", 9: "#9", 100: "#100"} {
		if got := userName(passwd, uid); got != want {
			t.Errorf("user %d is %q, expected %q", uid, got, want)
		}
	}
}
