// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// cpuset, pids and rdma are the same in v1 and v2.

func cpuset(r *specs.LinuxResources, s *settings) {
	if r.CPU == nil {
		return
	}
	if r.CPU.Cpus != "" {
		s.add("cpu.cpus", "cpuset.cpus", r.CPU.Cpus)
	}
	if r.CPU.Mems != "" {
		s.add("cpu.mems", "cpuset.mems", r.CPU.Mems)
	}
}

// pids writes a limit of 0 as 1. With either, a running init cannot fork, and systemd
// does not accept 0.
func pids(r *specs.LinuxResources, s *settings) {
	if r.Pids == nil || r.Pids.Limit == nil {
		return
	}
	limit := "max"
	if n := *r.Pids.Limit; n >= 0 {
		limit = strconv.FormatInt(max(n, 1), 10)
	}
	s.addOptional("pids.limit", "pids.max", limit, limit == "max")
}

func rdma(r *specs.LinuxResources, s *settings) {
	devices := make([]string, 0, len(r.Rdma))
	for name := range r.Rdma {
		devices = append(devices, name)
	}
	slices.Sort(devices)
	for _, name := range devices {
		line := name
		if n := r.Rdma[name].HcaHandles; n != nil {
			line += " hca_handle=" + strconv.FormatUint(uint64(*n), 10)
		}
		if n := r.Rdma[name].HcaObjects; n != nil {
			line += " hca_object=" + strconv.FormatUint(uint64(*n), 10)
		}
		if line != name {
			s.add(fmt.Sprintf("rdma[%q]", name), "rdma.max", line)
		}
	}
}

func cpuV1(r *specs.LinuxResources, s *settings) {
	c := r.CPU
	if c == nil {
		return
	}
	if c.Shares != nil && *c.Shares != 0 {
		// The kernel would silently use the nearest value.
		s.refuse(*c.Shares < 2 || *c.Shares > 262144, "cpu.shares", fmt.Sprintf("must be between 2 and 262144, not %d", *c.Shares))
		s.addNumber("cpu.shares", "cpu.shares", c.Shares)
	}
	if c.Idle != nil {
		s.addOptional("cpu.idle", "cpu.idle", strconv.FormatInt(*c.Idle, 10), *c.Idle == 0)
	}
	s.addNumber("cpu.realtimePeriod", "cpu.rt_period_us", c.RealtimePeriod)
	s.addAmount("cpu.realtimeRuntime", "cpu.rt_runtime_us", c.RealtimeRuntime, "-1")
	s.addNumber("cpu.period", "cpu.cfs_period_us", c.Period)
	if c.Quota != nil && *c.Quota != 0 {
		s.addOptional("cpu.quota", "cpu.cfs_quota_us", strconv.FormatInt(max(*c.Quota, -1), 10), *c.Quota < 0)
	}
	if c.Burst != nil {
		s.addOptional("cpu.burst", "cpu.cfs_burst_us", strconv.FormatUint(*c.Burst, 10), *c.Burst == 0)
	}
}

func memoryV1(r *specs.LinuxResources, s *settings) {
	m := r.Memory
	if m == nil {
		return
	}
	s.addAmount("memory.limit", "memory.limit_in_bytes", m.Limit, "-1")
	s.swapV1(m)
	s.addAmount("memory.reservation", "memory.soft_limit_in_bytes", m.Reservation, "-1")
	s.addAmount("memory.kernel", kernelMemory, m.Kernel, "-1")
	s.addAmount("memory.kernelTCP", "memory.kmem.tcp.limit_in_bytes", m.KernelTCP, "-1")
	if m.Swappiness != nil {
		s.refuse(*m.Swappiness > 100, "memory.swappiness", fmt.Sprintf("must be between 0 and 100, not %d", *m.Swappiness))
		s.add("memory.swappiness", "memory.swappiness", strconv.FormatUint(*m.Swappiness, 10))
	}
	if m.DisableOOMKiller != nil && *m.DisableOOMKiller {
		s.add("memory.disableOOMKiller", "memory.oom_control", "1")
	}
	// Linux 5.11 removed non-hierarchical accounting.
	s.refuse(m.UseHierarchy != nil && !*m.UseHierarchy, "memory.useHierarchy", "must not be false: memory is always accounted hierarchically")
}

// swapV1 sets the limit of memory and swap together. If memory is unlimited and swap is
// not given, swap is unlimited.
func (s *settings) swapV1(m *specs.LinuxMemory) {
	const field, file = "memory.swap", "memory.memsw.limit_in_bytes"
	switch limit, swap := value(m.Limit), value(m.Swap); {
	case swap == 0 && limit == -1, swap == -1:
		s.add(field, file, "-1").optional = true
	case swap > 0 && limit > 0 && swap < limit:
		s.refuse(true, field, fmt.Sprintf("%d is the limit of memory and swap together, and must not be less than memory.limit, %d", swap, limit))
	default:
		s.addAmount(field, file, m.Swap, "-1")
	}
}

func blkioV1(r *specs.LinuxResources, s *settings) {
	b := r.BlockIO
	if b == nil {
		return
	}
	s.blkioWeight("blockIO.weight", "weight", "", b.Weight)
	s.blkioWeight("blockIO.leafWeight", "leaf_weight", "", b.LeafWeight)
	for i, d := range b.WeightDevice {
		field, device := fmt.Sprintf("blockIO.weightDevice[%d]", i), fmt.Sprintf("%d:%d ", d.Major, d.Minor)
		s.blkioWeight(field+".weight", "weight_device", device, d.Weight)
		s.blkioWeight(field+".leafWeight", "leaf_weight_device", device, d.LeafWeight)
	}
	for _, t := range throttles(b) {
		for i, d := range t.list {
			s.addOptional(fmt.Sprintf("blockIO.%s[%d]", t.field, i), t.legacy,
				fmt.Sprintf("%d:%d %d", d.Major, d.Minor, d.Rate), d.Rate == 0)
		}
	}
}

// blkioWeight sets a weight of the scheduler BFQ, or if the kernel lacks it, of CFQ
// (until Linux 4.20). Only CFQ had leaf weights.
func (s *settings) blkioWeight(field, file, device string, weight *uint16) {
	if weight == nil || *weight == 0 {
		return
	}
	s.refuse(*weight < 10 || *weight > 1000, field, fmt.Sprintf("must be between 10 and 1000, not %d", *weight))
	text := device + strconv.Itoa(int(*weight))
	if strings.HasPrefix(file, "leaf_") {
		s.add(field, "blkio."+file, text)
		return
	}
	s.add(field, "blkio.bfq."+file, text).fallback = &setting{field: field, file: "blkio." + file, value: text}
}

func hugetlbV1(r *specs.LinuxResources, s *settings) { s.hugetlb(r, "limit_in_bytes") }

func netCls(r *specs.LinuxResources, s *settings) {
	if r.Network != nil && r.Network.ClassID != nil && *r.Network.ClassID != 0 {
		s.add("network.classID", "net_cls.classid", strconv.FormatUint(uint64(*r.Network.ClassID), 10))
	}
}

func netPrio(r *specs.LinuxResources, s *settings) {
	if r.Network == nil {
		return
	}
	for i, p := range r.Network.Priorities {
		s.addOptional(fmt.Sprintf("network.priorities[%d]", i), "net_prio.ifpriomap",
			p.Name+" "+strconv.FormatUint(uint64(p.Priority), 10), p.Priority == 0)
	}
}
