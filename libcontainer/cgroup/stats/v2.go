// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"math"
)

// microsecond is the unit of times in cgroup v2, in nanoseconds.
const microsecond = 1000

// cpuacctV2 reads the values of cpu.stat that are there even without the cpu
// controller.
func (s *Stats) cpuacctV2(f *files) {
	stat := f.keyed("cpu.stat")
	u := &s.CPU.Usage
	u.Total = stat["usage_usec"] * microsecond
	u.Kernel = stat["system_usec"] * microsecond
	u.User = stat["user_usec"] * microsecond
}

func (s *Stats) cpuV2(f *files) {
	stat := f.keyed("cpu.stat")
	s.CPU.Throttling = Throttling{stat["nr_periods"], stat["nr_throttled"], stat["throttled_usec"] * microsecond}
	if n, ok := stat["nr_bursts"]; ok {
		s.CPU.Burst = &Burst{n, stat["burst_usec"] * microsecond}
	}
}

func (s *Stats) cpusetV2(f *files) {
	s.CPUSet.CPUs = f.list("cpuset.cpus.effective")
	s.CPUSet.Mems = f.list("cpuset.mems.effective")
}

func (s *Stats) memoryV2(f *files) {
	m := &s.Memory
	m.Raw = f.keyed("memory.stat")
	m.Cache = m.Raw["file"]
	m.Usage = MemoryEntry{Limit: f.number("memory.max"), Usage: f.number("memory.current"), Max: f.number("memory.peak")}
	if f.has("memory.swap.current") {
		m.SwapOnly = &MemoryEntry{
			Limit: f.number("memory.swap.max"), Usage: f.number("memory.swap.current"),
			Max: f.number("memory.swap.peak"), Failcnt: f.keyed("memory.swap.events")["max"],
		}
		m.Swap.Limit = addLimits(m.Usage.Limit, m.SwapOnly.Limit)
		m.Swap.Usage = m.Usage.Usage + m.SwapOnly.Usage
	}
	if f.has("memory.zswap.current") {
		m.Zswap = &MemoryEntry{Limit: f.number("memory.zswap.max"), Usage: f.number("memory.zswap.current")}
	}
	if e := f.keyed("memory.events"); e != nil {
		m.Events = &MemoryEvents{e["low"], e["high"], e["max"], e["oom"], e["oom_kill"], e["oom_group_kill"]}
	}
}

// addLimits adds two limits. If one of them means no limit, so does the sum.
func addLimits(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

// blkioV2 converts io.stat to the tables of cgroup v1.
func (s *Stats) blkioV2(f *files) {
	b := &s.Blkio
	f.nested("io.stat", func(name, key, value string) {
		major, minor, ok := device(name)
		if !ok {
			return
		}
		table, op := b.tableV2(key)
		if table != nil {
			*table = append(*table, BlkioEntry{major, minor, op, f.parse("io.stat", value)})
		}
	})
}

func (b *Blkio) tableV2(key string) (table *[]BlkioEntry, op string) {
	switch key {
	case "rbytes":
		return &b.IoServiceBytesRecursive, "Read"
	case "wbytes":
		return &b.IoServiceBytesRecursive, "Write"
	case "dbytes":
		return &b.IoServiceBytesRecursive, "Discard"
	case "rios":
		return &b.IoServicedRecursive, "Read"
	case "wios":
		return &b.IoServicedRecursive, "Write"
	case "dios":
		return &b.IoServicedRecursive, "Discard"
	case "cost.usage":
		return &b.CostUsage, "Count"
	case "cost.wait":
		return &b.CostWait, "Count"
	case "cost.indebt":
		return &b.CostIndebt, "Count"
	case "cost.indelay":
		return &b.CostIndelay, "Count"
	}
	return nil, ""
}

func (s *Stats) hugetlbV2(f *files) {
	for _, size := range f.pageSizes(".current") {
		name := "hugetlb." + size
		h := Hugetlb{Failcnt: f.keyed(name + ".events")["max"]}
		h.Faulted = f.pages(name+".current", name+".max")
		h.Rsvd = f.pages(name+".rsvd.current", name+".rsvd.max")
		s.addHugetlb(size, h)
	}
}

func (f *files) pages(usage, limit string) *HugetlbPages {
	if !f.has(usage) {
		return nil
	}
	return &HugetlbPages{f.number(usage), f.number(limit)}
}

// addHugetlb adds h, with the usage that counts. Without usage, the cgroup has been removed
// since its files were listed.
func (s *Stats) addHugetlb(size string, h Hugetlb) {
	switch {
	case h.Rsvd != nil:
		h.Usage = h.Rsvd.Usage
	case h.Faulted != nil:
		h.Usage = h.Faulted.Usage
	default:
		return
	}
	s.Hugetlb[size] = h
}
