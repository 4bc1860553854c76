// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// text formats the settings of a resource: "file=value" in the order of writing,
// "|file=value" for what is written instead, and "?" after a setting whose file may be
// missing.
func text(r *specs.LinuxResources, v2 bool) string {
	var out []string
	for _, c := range controllers() {
		list, err := c.values(r, v2)
		var f *FieldError
		if errors.As(err, &f) {
			return "refused: " + f.Field
		}
		for _, s := range list {
			one := s.file + "=" + s.value
			if s.fallback != nil {
				one += "|" + s.fallback.file + "=" + s.fallback.value
			}
			if s.optional {
				one += "?"
			}
			out = append(out, one)
		}
	}
	return strings.Join(out, "; ")
}

func TestSettings(t *testing.T) {
	cpu := func(c specs.LinuxCPU) *specs.LinuxResources { return &specs.LinuxResources{CPU: &c} }
	mem := func(m specs.LinuxMemory) *specs.LinuxResources { return &specs.LinuxResources{Memory: &m} }
	pids := func(n int64) *specs.LinuxResources {
		return &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &n}}
	}
	io := func(b specs.LinuxBlockIO) *specs.LinuxResources { return &specs.LinuxResources{BlockIO: &b} }
	throttle := func(rate uint64) []specs.LinuxThrottleDevice {
		d := specs.LinuxThrottleDevice{Rate: rate}
		d.Major, d.Minor = 8, 16
		return []specs.LinuxThrottleDevice{d}
	}
	weights := func(w, leaf *uint16) []specs.LinuxWeightDevice {
		d := specs.LinuxWeightDevice{Weight: w, LeafWeight: leaf}
		d.Major, d.Minor = 8, 0
		return []specs.LinuxWeightDevice{d}
	}
	i, u, w := ptr[int64], ptr[uint64], ptr[uint16]
	const refused = "refused: linux.resources."
	for _, c := range []struct {
		resources *specs.LinuxResources
		v2, v1    string
	}{
		{nil, "", ""},
		{&specs.LinuxResources{}, "", ""},
		// Engines send 0 for "not set".
		{&specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: u(0), Quota: i(0), Period: u(0), RealtimeRuntime: i(0), RealtimePeriod: u(0)},
			Memory:  &specs.LinuxMemory{Limit: i(0), Swap: i(0), Reservation: i(0), Kernel: i(0), DisableOOMKiller: ptr(false), UseHierarchy: ptr(true)},
			BlockIO: &specs.LinuxBlockIO{Weight: w(0), LeafWeight: w(0)}, Pids: &specs.LinuxPids{},
			Network: &specs.LinuxNetwork{ClassID: ptr(uint32(0))}}, "", ""},

		{cpu(specs.LinuxCPU{Shares: u(1024)}), "cpu.weight=100", "cpu.shares=1024"},
		{cpu(specs.LinuxCPU{Shares: u(1)}), "cpu.weight=1", refused + "cpu.shares"},
		{cpu(specs.LinuxCPU{Shares: u(262145)}), "cpu.weight=10000", refused + "cpu.shares"},
		{cpu(specs.LinuxCPU{Quota: i(50000)}), "cpu.max=50000 100000", "cpu.cfs_quota_us=50000"},
		{cpu(specs.LinuxCPU{Period: u(20000)}), "cpu.max=max 20000", "cpu.cfs_period_us=20000"},
		{cpu(specs.LinuxCPU{Quota: i(-1), Period: u(20000)}), "cpu.max=max 20000?", "cpu.cfs_period_us=20000; cpu.cfs_quota_us=-1?"},
		{cpu(specs.LinuxCPU{Quota: i(2000), Burst: u(0)}), "cpu.max=2000 100000; cpu.max.burst=0?", "cpu.cfs_quota_us=2000; cpu.cfs_burst_us=0?"},
		{cpu(specs.LinuxCPU{Shares: u(2), Idle: i(1)}), "cpu.weight=1; cpu.idle=1", "cpu.shares=2; cpu.idle=1"},
		{cpu(specs.LinuxCPU{RealtimeRuntime: i(950000)}), refused + "cpu.realtimeRuntime", "cpu.rt_runtime_us=950000"},
		{cpu(specs.LinuxCPU{RealtimePeriod: u(1000000)}), refused + "cpu.realtimePeriod", "cpu.rt_period_us=1000000"},
		{cpu(specs.LinuxCPU{Cpus: "0-1", Mems: "0"}), "cpuset.cpus=0-1; cpuset.mems=0", "cpuset.cpus=0-1; cpuset.mems=0"},

		{mem(specs.LinuxMemory{Limit: i(100)}), "memory.max=100", "memory.limit_in_bytes=100"},
		{mem(specs.LinuxMemory{Limit: i(-1)}), "memory.swap.max=max?; memory.max=max?", "memory.limit_in_bytes=-1?; memory.memsw.limit_in_bytes=-1?"},
		{mem(specs.LinuxMemory{Limit: i(100), Swap: i(100)}), "memory.swap.max=0?; memory.max=100", "memory.limit_in_bytes=100; memory.memsw.limit_in_bytes=100"},
		{mem(specs.LinuxMemory{Limit: i(100), Swap: i(300)}), "memory.swap.max=200; memory.max=100", "memory.limit_in_bytes=100; memory.memsw.limit_in_bytes=300"},
		{mem(specs.LinuxMemory{Limit: i(100), Swap: i(-1)}), "memory.swap.max=max?; memory.max=100", "memory.limit_in_bytes=100; memory.memsw.limit_in_bytes=-1?"},
		{mem(specs.LinuxMemory{Limit: i(100), Swap: i(50)}), refused + "memory.swap", refused + "memory.swap"},
		{mem(specs.LinuxMemory{Limit: i(-1), Swap: i(50)}), "memory.swap.max=50; memory.max=max?", "memory.limit_in_bytes=-1?; memory.memsw.limit_in_bytes=50"},
		{mem(specs.LinuxMemory{Swap: i(50)}), refused + "memory.swap", "memory.memsw.limit_in_bytes=50"},
		{mem(specs.LinuxMemory{Limit: i(-2)}), refused + "memory.limit", refused + "memory.limit"},
		{mem(specs.LinuxMemory{Limit: i(9), Swap: i(-2)}), refused + "memory.swap", refused + "memory.swap"},
		{mem(specs.LinuxMemory{Reservation: i(70)}), "memory.low=70", "memory.soft_limit_in_bytes=70"},
		{mem(specs.LinuxMemory{Kernel: i(70)}), refused + "memory.kernel", "memory.kmem.limit_in_bytes=70"},
		{mem(specs.LinuxMemory{KernelTCP: i(70)}), refused + "memory.kernelTCP", "memory.kmem.tcp.limit_in_bytes=70"},
		{mem(specs.LinuxMemory{Swappiness: u(0)}), refused + "memory.swappiness", "memory.swappiness=0"},
		{mem(specs.LinuxMemory{Swappiness: u(101)}), refused + "memory.swappiness", refused + "memory.swappiness"},
		{mem(specs.LinuxMemory{DisableOOMKiller: ptr(true)}), refused + "memory.disableOOMKiller", "memory.oom_control=1"},
		{mem(specs.LinuxMemory{UseHierarchy: ptr(false)}), refused + "memory.useHierarchy", refused + "memory.useHierarchy"},

		{pids(10), "pids.max=10", "pids.max=10"},
		{pids(0), "pids.max=1", "pids.max=1"},
		{pids(-1), "pids.max=max?", "pids.max=max?"},

		{io(specs.LinuxBlockIO{Weight: w(10)}), "io.bfq.weight=10|io.weight=1", "blkio.bfq.weight=10|blkio.weight=10"},
		{io(specs.LinuxBlockIO{Weight: w(1000)}), "io.bfq.weight=1000|io.weight=10000", "blkio.bfq.weight=1000|blkio.weight=1000"},
		{io(specs.LinuxBlockIO{Weight: w(9)}), refused + "blockIO.weight", refused + "blockIO.weight"},
		{io(specs.LinuxBlockIO{LeafWeight: w(100)}), refused + "blockIO.leafWeight", "blkio.leaf_weight=100"},
		{io(specs.LinuxBlockIO{WeightDevice: weights(w(505), nil)}), "io.bfq.weight=8:0 505|io.weight=8:0 5000", "blkio.bfq.weight_device=8:0 505|blkio.weight_device=8:0 505"},
		{io(specs.LinuxBlockIO{WeightDevice: weights(nil, w(20))}), refused + "blockIO.weightDevice[0].leafWeight", "blkio.leaf_weight_device=8:0 20"},
		{io(specs.LinuxBlockIO{ThrottleReadBpsDevice: throttle(7)}), "io.max=8:16 rbps=7", "blkio.throttle.read_bps_device=8:16 7"},
		{io(specs.LinuxBlockIO{ThrottleWriteBpsDevice: throttle(7)}), "io.max=8:16 wbps=7", "blkio.throttle.write_bps_device=8:16 7"},
		{io(specs.LinuxBlockIO{ThrottleReadIOPSDevice: throttle(7)}), "io.max=8:16 riops=7", "blkio.throttle.read_iops_device=8:16 7"},
		{io(specs.LinuxBlockIO{ThrottleWriteIOPSDevice: throttle(0)}), "io.max=8:16 wiops=max?", "blkio.throttle.write_iops_device=8:16 0?"},

		{&specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4194304}}},
			"hugetlb.2MB.max=4194304; hugetlb.2MB.rsvd.max=4194304", "hugetlb.2MB.limit_in_bytes=4194304; hugetlb.2MB.rsvd.limit_in_bytes=4194304"},
		{&specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{"b": {HcaObjects: ptr(uint32(5))}, "a": {HcaHandles: ptr(uint32(3)), HcaObjects: ptr(uint32(4))}, "c": {}}},
			"rdma.max=a hca_handle=3 hca_object=4; rdma.max=b hca_object=5", "rdma.max=a hca_handle=3 hca_object=4; rdma.max=b hca_object=5"},
		{&specs.LinuxResources{Network: &specs.LinuxNetwork{ClassID: ptr(uint32(0x100001))}}, refused + "network.classID", "net_cls.classid=1048577"},
		{&specs.LinuxResources{Network: &specs.LinuxNetwork{Priorities: []specs.LinuxInterfacePriority{{Name: "eth0", Priority: 5}}}},
			refused + "network.priorities[0]", "net_prio.ifpriomap=eth0 5"},
	} {
		if got := text(c.resources, true); got != c.v2 {
			t.Errorf("v2: got  %q\n    want %q", got, c.v2)
		}
		if got := text(c.resources, false); got != c.v1 {
			t.Errorf("v1: got  %q\n    want %q", got, c.v1)
		}
	}
}

// The conversions are the same as those of the library that other runtimes share.
func TestConversionsOfOtherRuntimes(t *testing.T) {
	for shares := uint64(1); shares <= 262145; shares++ {
		if got, want := cpuWeight(shares), cgroups.ConvertCPUSharesToCgroupV2Value(shares); got != want {
			t.Fatalf("cpuWeight(%d) = %d, want %d", shares, got, want)
		}
	}
	for weight := uint16(10); weight <= 1000; weight++ {
		var s settings
		s.ioWeight("f", "", weight)
		if got, want := s.list[0].fallback.value, fmt.Sprint(cgroups.ConvertBlkIOToIOWeightValue(weight)); got != want {
			t.Fatalf("I/O weight %d = %s, want %s", weight, got, want)
		}
	}
	for _, limit := range []int64{-1, 0, 50, 100} {
		for _, swap := range []int64{-1, 0, 50, 100, 150} {
			got, err := swapV2(&specs.LinuxMemory{Limit: &limit, Swap: &swap})
			want, wantErr := cgroups.ConvertMemorySwapToCgroupV2Value(swap, limit)
			text := fmt.Sprint(want)
			switch {
			case wantErr != nil:
				text = ""
			case want == -1:
				text = "max"
			case want == 0 && swap == 0:
				text = ""
			}
			if got != text || (err == nil) != (wantErr == nil) {
				t.Errorf("swap %d, limit %d: %q, %v; want %q, %v", swap, limit, got, err, text, wantErr)
			}
		}
	}
}

func TestPageSize(t *testing.T) {
	for _, s := range []string{"64KB", "2MB", "1GB", "16384KB"} {
		if !pageSize(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{"", "MB", "2M", "2mb", "../../x", "2/MB", "-2MB", "2MB/..", "2.0MB", "2TB", "12345678901234MB", "2MB\x00"} {
		if pageSize(s) {
			t.Errorf("%q is taken", s)
		}
	}
}
