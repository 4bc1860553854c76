// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDescribe(t *testing.T) {
	files := map[string]string{
		"/c/cpuset.cpus.effective":        "0-1",
		"/sys/devices/system/cpu/online":  "0-3",
		"/v1/cpuset.effective_mems":       "0",
		"/sys/devices/system/node/online": "0-1",
		"/sys/block/sda/dev":              "8:0",
		"/sys/block/loop0/dev":            "7:0",
	}
	dirs := map[string][]string{
		"/c/x":                  {"cgroup.procs", "hugetlb.2MB.max", "hugetlb.2MB.rsvd.max", "hugetlb.1GB.max"},
		"/sys/block":            {"loop0", "sda"},
		"/sys/class/infiniband": {},
		"/sys/class/net":        {"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "lo"},
	}
	l := hostFacts{
		text: func(p string) string { return files[p] },
		list: func(p string) []string { return dirs[p] },
	}
	for _, c := range []struct {
		dir, file string
		errno     syscall.Errno
		want      string
	}{
		{"/c/x", "cpuset.cpus", unix.ERANGE, "available CPUs: 0-1"},
		{"/d/x", "cpuset.cpus", unix.ERANGE, "available CPUs: 0-3"},
		{"/v1/x", "cpuset.mems", unix.EACCES, "available memory nodes: 0"},
		{"/d/x", "cpuset.mems", unix.EINVAL, "available memory nodes: 0-1"},
		{"/c/x", "hugetlb.64KB.max", unix.ENOENT, "available huge page sizes: 1GB, 2MB"},
		{"/d/x", "hugetlb.64KB.max", unix.ENOENT, "no huge page sizes are available"},
		{"/c/x", "io.max", unix.ENODEV, "available block devices: 8:0 sda"},
		{"/c/x", "blkio.throttle.read_bps_device", unix.ENXIO, "available block devices: 8:0 sda"},
		{"/c/x", "io.max", unix.ERANGE, ""},
		{"/c/x", "rdma.max", unix.ENODEV, "no RDMA devices are available"},
		{"/c/x", "net_prio.ifpriomap", unix.ENODEV, "available network devices: a0, a1, a2, a3, a4, a5, a6, a7 and 2 more"},
		{"/c/x", "pids.max", unix.EINVAL, ""},
		{"/c/x", "memory.max", unix.EBUSY, ""},
	} {
		if got := l.describe(c.dir, c.file, c.errno); got != c.want {
			t.Errorf("%s in %s, %v: %q, want %q", c.file, c.dir, c.errno, got, c.want)
		}
	}
	if got := l.describe("/c/x", "cpu.max", unix.EINVAL); !strings.Contains(got, "at least 1000 microseconds") {
		t.Errorf("cpu.max: %q", got)
	}
}

// If the file cannot be opened, the value is not to blame.
func TestExplainedOpen(t *testing.T) {
	err := fmt.Errorf("x: %w", &os.PathError{Op: "open", Path: "/c/cpuset.cpus", Err: unix.EACCES})
	if got := explained(dir{path: "/c"}, "cpuset.cpus", err); got.Error() != err.Error() {
		t.Errorf("got %v", got)
	}
}
