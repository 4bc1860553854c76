// SPDX-License-Identifier: Apache-2.0

package stats

// Stats is the document that `events` prints about a container's cgroups. Its keys and
// units are those of runc, which engines decode; fields marked "beyond" are not in
// runc's. Times are in nanoseconds and sizes in bytes, and math.MaxUint64 means no
// limit, unless stated otherwise.
type Stats struct {
	CPU     CPU                `json:"cpu"`
	CPUSet  CPUSet             `json:"cpuset"`
	Memory  Memory             `json:"memory"`
	Pids    Pids               `json:"pids"`
	Blkio   Blkio              `json:"blkio"`
	Hugetlb map[string]Hugetlb `json:"hugetlb"` // by page size, as in "2MB"

	RDMA map[string]RDMA `json:"rdma,omitempty"` // beyond; by device
	Misc map[string]Misc `json:"misc,omitempty"` // beyond; by resource
	IRQ  *IRQ            `json:"irq,omitempty"`  // beyond
}

// CPU is CPU time and how it was limited.
type CPU struct {
	Usage      CPUUsage   `json:"usage"`
	Throttling Throttling `json:"throttling"`
	PSI        *PSI       `json:"psi,omitempty"`
	Burst      *Burst     `json:"burst,omitempty"` // beyond
}

// CPUUsage is the CPU time used. Times per CPU are only there with cgroup v1.
type CPUUsage struct {
	Total        uint64   `json:"total,omitempty"`
	PerCPU       []uint64 `json:"percpu,omitempty"`
	PerCPUKernel []uint64 `json:"percpu_kernel,omitempty"`
	PerCPUUser   []uint64 `json:"percpu_user,omitempty"`
	Kernel       uint64   `json:"kernel"`
	User         uint64   `json:"user"`
}

// Throttling counts the quota's periods and those in which the container was throttled.
type Throttling struct {
	Periods          uint64 `json:"periods,omitempty"`
	ThrottledPeriods uint64 `json:"throttledPeriods,omitempty"`
	ThrottledTime    uint64 `json:"throttledTime,omitempty"`
}

// Burst counts the periods in which more than the quota was used, and is the time used
// beyond it.
type Burst struct {
	Periods uint64 `json:"periods"`
	Time    uint64 `json:"time"`
}

// CPUSet is the CPUs and memory nodes that the processes may use. The other fields are
// of cgroup v1 only.
type CPUSet struct {
	CPUs                  []uint16 `json:"cpus,omitempty"`
	CPUExclusive          uint64   `json:"cpu_exclusive"`
	Mems                  []uint16 `json:"mems,omitempty"`
	MemHardwall           uint64   `json:"mem_hardwall"`
	MemExclusive          uint64   `json:"mem_exclusive"`
	MemoryMigrate         uint64   `json:"memory_migrate"`
	MemorySpreadPage      uint64   `json:"memory_spread_page"`
	MemorySpreadSlab      uint64   `json:"memory_spread_slab"`
	MemoryPressure        uint64   `json:"memory_pressure"`
	SchedLoadBalance      uint64   `json:"sched_load_balance"`
	SchedRelaxDomainLevel int64    `json:"sched_relax_domain_level"`
}

// Memory is memory usage. Swap is memory and swap together, as in cgroup v1.
type Memory struct {
	Cache     uint64            `json:"cache,omitempty"`
	Usage     MemoryEntry       `json:"usage"`
	Swap      MemoryEntry       `json:"swap"`
	Kernel    MemoryEntry       `json:"kernel"`
	KernelTCP MemoryEntry       `json:"kernelTCP"`
	Raw       map[string]uint64 `json:"raw,omitempty"` // memory.stat
	PSI       *PSI              `json:"psi,omitempty"`

	SwapOnly *MemoryEntry  `json:"swapOnly,omitempty"` // beyond; cgroup v2
	Zswap    *MemoryEntry  `json:"zswap,omitempty"`    // beyond; cgroup v2
	Events   *MemoryEvents `json:"events,omitempty"`   // beyond
}

// MemoryEntry is one kind of memory. Max is the highest usage so far, and Failcnt how
// often the limit was reached.
type MemoryEntry struct {
	Limit   uint64 `json:"limit"`
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// MemoryEvents is memory.events. With cgroup v1 only OOMKill is counted.
type MemoryEvents struct {
	Low          uint64 `json:"low"`
	High         uint64 `json:"high"`
	Max          uint64 `json:"max"`
	OOM          uint64 `json:"oom"`
	OOMKill      uint64 `json:"oom_kill"`
	OOMGroupKill uint64 `json:"oom_group_kill"`
}

// Pids counts tasks. A limit of 0 means no limit.
type Pids struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"`
	Peak    uint64 `json:"peak,omitempty"` // beyond
}

// Blkio has a table for each kind of counter.
type Blkio struct {
	IoServiceBytesRecursive []BlkioEntry `json:"ioServiceBytesRecursive,omitempty"`
	IoServicedRecursive     []BlkioEntry `json:"ioServicedRecursive,omitempty"`
	IoQueuedRecursive       []BlkioEntry `json:"ioQueueRecursive,omitempty"`
	IoServiceTimeRecursive  []BlkioEntry `json:"ioServiceTimeRecursive,omitempty"`
	IoWaitTimeRecursive     []BlkioEntry `json:"ioWaitTimeRecursive,omitempty"`
	IoMergedRecursive       []BlkioEntry `json:"ioMergedRecursive,omitempty"`
	IoTimeRecursive         []BlkioEntry `json:"ioTimeRecursive,omitempty"`
	SectorsRecursive        []BlkioEntry `json:"sectorsRecursive,omitempty"`
	PSI                     *PSI         `json:"psi,omitempty"`

	// Beyond: counters of blk-iocost, in microseconds; cgroup v2.
	CostUsage   []BlkioEntry `json:"costUsage,omitempty"`
	CostWait    []BlkioEntry `json:"costWait,omitempty"`
	CostIndebt  []BlkioEntry `json:"costIndebt,omitempty"`
	CostIndelay []BlkioEntry `json:"costIndelay,omitempty"`
}

// BlkioEntry is one counter of a device. Op is Read, Write, Discard, Sync, Async or
// Total, or Count in the tables of blk-iocost.
type BlkioEntry struct {
	Major uint64 `json:"major,omitempty"`
	Minor uint64 `json:"minor,omitempty"`
	Op    string `json:"op,omitempty"`
	Value uint64 `json:"value,omitempty"`
}

// Hugetlb is one page size. As in runc, the values are of reservations if the kernel
// counts these, and otherwise of pages in use.
type Hugetlb struct {
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"` // cgroup v1
	Failcnt uint64 `json:"failcnt"`

	Rsvd    *HugetlbPages `json:"rsvd,omitempty"`    // beyond
	Faulted *HugetlbPages `json:"faulted,omitempty"` // beyond
}

// HugetlbPages is the pages of one size that are reserved, or in use.
type HugetlbPages struct {
	Usage uint64 `json:"usage"`
	Limit uint64 `json:"limit"`
}

// RDMA is the usage and the limits of one device.
type RDMA struct {
	Current RDMAEntry `json:"current"`
	Max     RDMAEntry `json:"max"`
}

// RDMAEntry counts handles and objects.
type RDMAEntry struct {
	HcaHandles uint64 `json:"hca_handles"`
	HcaObjects uint64 `json:"hca_objects"`
}

// Misc is one resource of the misc controller. Events counts how often the limit was
// reached.
type Misc struct {
	Usage  uint64 `json:"usage"`
	Max    uint64 `json:"max"`
	Peak   uint64 `json:"peak,omitempty"`
	Events uint64 `json:"events"`
}

// IRQ is the time that interrupts have taken from the processes.
type IRQ struct {
	PSI *PSI `json:"psi"`
}

// PSI is pressure stall information: the shares of time, in percent, in which some or
// all tasks were stalled, and the total stall time in microseconds.
type PSI struct {
	Some *PSIData `json:"some,omitempty"`
	Full *PSIData `json:"full,omitempty"`
}

// PSIData is one line of a pressure file.
type PSIData struct {
	Avg10  float64 `json:"avg10"`
	Avg60  float64 `json:"avg60"`
	Avg300 float64 `json:"avg300"`
	Total  uint64  `json:"total"`
}
