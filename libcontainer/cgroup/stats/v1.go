// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"strings"
)

// tick is the unit of cpuacct.stat in nanoseconds: USER_HZ is 100 on every architecture
// that skiff supports.
const tick = 1e9 / 100

func (s *Stats) cpuacctV1(f *files) {
	u := &s.CPU.Usage
	u.Total = f.number("cpuacct.usage")
	u.PerCPU = f.numbers("cpuacct.usage_percpu")
	stat := f.keyed("cpuacct.stat")
	u.Kernel, u.User = stat["system"]*tick, stat["user"]*tick
	const all = "cpuacct.usage_all" // a header "cpu user system", and a line for each CPU
	for line := range strings.Lines(f.text(all)) {
		if v := strings.Fields(line); len(v) == 3 && v[0] != "cpu" {
			u.PerCPUUser = append(u.PerCPUUser, f.parse(all, v[1]))
			u.PerCPUKernel = append(u.PerCPUKernel, f.parse(all, v[2]))
		}
	}
}

func (s *Stats) cpuV1(f *files) {
	stat := f.keyed("cpu.stat")
	s.CPU.Throttling = Throttling{stat["nr_periods"], stat["nr_throttled"], stat["throttled_time"]}
	if n, ok := stat["nr_bursts"]; ok {
		s.CPU.Burst = &Burst{n, stat["burst_time"]}
	}
}

func (s *Stats) cpusetV1(f *files) {
	c := &s.CPUSet
	c.CPUs, c.Mems = f.list("cpuset.cpus"), f.list("cpuset.mems")
	for name, field := range map[string]*uint64{
		"cpu_exclusive": &c.CPUExclusive, "mem_hardwall": &c.MemHardwall, "mem_exclusive": &c.MemExclusive,
		"memory_migrate": &c.MemoryMigrate, "memory_spread_page": &c.MemorySpreadPage,
		"memory_spread_slab": &c.MemorySpreadSlab, "memory_pressure": &c.MemoryPressure,
		"sched_load_balance": &c.SchedLoadBalance,
	} {
		*field = f.number("cpuset." + name)
	}
	c.SchedRelaxDomainLevel = f.signed("cpuset.sched_relax_domain_level")
}

func (s *Stats) memoryV1(f *files) {
	m := &s.Memory
	m.Raw = f.keyed("memory.stat")
	m.Cache = m.Raw["cache"]
	m.Usage = f.memory("memory.")
	m.Swap = f.memory("memory.memsw.")
	m.Kernel = f.memory("memory.kmem.")
	m.KernelTCP = f.memory("memory.kmem.tcp.")
	if n, ok := f.keyed("memory.oom_control")["oom_kill"]; ok {
		m.Events = &MemoryEvents{OOMKill: n}
	}
}

func (f *files) memory(prefix string) MemoryEntry {
	return MemoryEntry{
		Limit: f.number(prefix + "limit_in_bytes"), Usage: f.number(prefix + "usage_in_bytes"),
		Max: f.number(prefix + "max_usage_in_bytes"), Failcnt: f.number(prefix + "failcnt"),
	}
}

// blkioV1 fills each table from the first file that has a device: the scheduler's (bfq,
// or cfq before Linux 5.0), or else that of throttling.
func (s *Stats) blkioV1(f *files) {
	b := &s.Blkio
	for _, t := range [...]struct {
		table *[]BlkioEntry
		files []string
	}{
		{&b.IoServiceBytesRecursive, []string{"bfq.io_service_bytes_recursive", "io_service_bytes_recursive",
			"throttle.io_service_bytes_recursive", "throttle.io_service_bytes"}},
		{&b.IoServicedRecursive, []string{"bfq.io_serviced_recursive", "io_serviced_recursive",
			"throttle.io_serviced_recursive", "throttle.io_serviced"}},
		{&b.IoQueuedRecursive, []string{"bfq.io_queued_recursive", "io_queued_recursive"}},
		{&b.IoServiceTimeRecursive, []string{"bfq.io_service_time_recursive", "io_service_time_recursive"}},
		{&b.IoWaitTimeRecursive, []string{"bfq.io_wait_time_recursive", "io_wait_time_recursive"}},
		{&b.IoMergedRecursive, []string{"bfq.io_merged_recursive", "io_merged_recursive"}},
		{&b.IoTimeRecursive, []string{"bfq.time_recursive", "time_recursive"}},
		{&b.SectorsRecursive, []string{"bfq.sectors_recursive", "sectors_recursive"}},
	} {
		for _, name := range t.files {
			if *t.table = f.blkio("blkio." + name); *t.table != nil {
				break
			}
		}
	}
}

// blkio returns the contents of a file with lines of "8:0 Read 10" or "8:0 10". The
// last line, the total of all devices, is skipped.
func (f *files) blkio(name string) []BlkioEntry {
	var all []BlkioEntry
	for line := range strings.Lines(f.text(name)) {
		v := strings.Fields(line)
		if len(v) < 2 {
			continue
		}
		e, ok := BlkioEntry{}, false
		if e.Major, e.Minor, ok = device(v[0]); !ok {
			continue
		}
		if len(v) > 2 {
			e.Op = v[1]
		}
		e.Value = f.parse(name, v[len(v)-1])
		all = append(all, e)
	}
	return all
}

func (s *Stats) hugetlbV1(f *files) {
	for _, size := range f.pageSizes(".usage_in_bytes") {
		name := "hugetlb." + size
		h := Hugetlb{
			Faulted: f.pages(name+".usage_in_bytes", name+".limit_in_bytes"),
			Rsvd:    f.pages(name+".rsvd.usage_in_bytes", name+".rsvd.limit_in_bytes"),
		}
		if h.Rsvd != nil {
			name += ".rsvd"
		}
		h.Max, h.Failcnt = f.number(name+".max_usage_in_bytes"), f.number(name+".failcnt")
		s.addHugetlb(size, h)
	}
}
