// SPDX-License-Identifier: Apache-2.0

package isolate

import (
	"slices"
	"testing"
)

func TestUnmounted(t *testing.T) {
	const mounts = `32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
38 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
42 31 0:39 / /mnt/cgroup rw,relatime - tmpfs net_prio rw
`
	const table = `#subsys_name	hierarchy	num_cgroups	enabled
cpu	1	1	1
cpuacct	1	1	1
pids	8	7	1
devices	5	7	1
net_cls	233	1	1
net_prio	233	1	1
freezer	234	1	1
perf_event	0	1	1
`
	member := []hierarchy{
		{"net_cls,net_prio", "/"}, {"freezer", "/"}, {"devices", "/"}, {"pids", "/"}, {"cpu,cpuacct", "/"}, {"name=systemd", "/"}, {"", "/"},
	}
	want := []string{"net_cls,net_prio", "freezer"} // devices has cgroups: somebody uses it
	if got := unmounted(member, mounts, table); !slices.Equal(got, want) {
		t.Errorf("unmounted: %q, want %q", got, want)
	}
}
