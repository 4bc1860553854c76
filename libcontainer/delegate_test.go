// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

func TestBelowUnit(t *testing.T) {
	for _, c := range []struct{ unit, cgroup, want string }{
		{"skiff-web.scope", "/sys/fs/cgroup/system.slice/skiff-web.scope", ""},
		{"skiff-web.scope", "/sys/fs/cgroup/system.slice/skiff-web.scope/sub", "sub"},
		{"skiff-web.scope", "/sys/fs/cgroup/system.slice/skiff-web.scope/a/b", "a/b"},
		{"a-b.slice", "/sys/fs/cgroup/a.slice/a-b.slice/sub", "sub"},
		{"skiff-web.scope", "/elsewhere", ""},
	} {
		if got := belowUnit(c.unit, c.cgroup); got != c.want {
			t.Errorf("%s of %s: %q, want %q", c.cgroup, c.unit, got, c.want)
		}
	}
}

func TestDelegateOwner(t *testing.T) {
	user := []plan.Namespace{{Flag: unix.CLONE_NEWUSER}, {Flag: unix.CLONE_NEWCGROUP}}
	maps := plan.UserMaps{UID: []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 10}}}
	for name, c := range map[string]struct {
		l    plan.Launch
		want int
	}{
		"the host's root":      {plan.Launch{}, 0},
		"the container's root": {plan.Launch{Namespaces: user, UserMaps: maps, Process: plan.Process{UID: 7}}, 100000},
		"the user, who owns the cgroup": {plan.Launch{Namespaces: user, UserMaps: maps, Process: plan.Process{UID: 7},
			Cgroup: plan.Cgroup{Mounted: true}}, 100007},
	} {
		if got := delegateOwner(&c.l); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
