// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"math"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func cpuV2(r *specs.LinuxResources, s *settings) {
	c := r.CPU
	if c == nil {
		return
	}
	s.refuse(c.RealtimeRuntime != nil && *c.RealtimeRuntime != 0 && *c.RealtimeRuntime != -1, "cpu.realtimeRuntime", noV2)
	s.refuse(c.RealtimePeriod != nil && *c.RealtimePeriod != 0, "cpu.realtimePeriod", noV2)
	if c.Shares != nil && *c.Shares != 0 {
		s.add("cpu.shares", "cpu.weight", strconv.FormatUint(cpuWeight(*c.Shares), 10))
	}
	if c.Idle != nil { // after the weight, which the kernel refuses for an idle cgroup
		s.addOptional("cpu.idle", "cpu.idle", strconv.FormatInt(*c.Idle, 10), *c.Idle == 0)
	}
	if field, max := cpuMax(c); field != "" {
		s.addOptional(field, "cpu.max", max, field == "cpu.quota" && *c.Quota < 0)
	}
	if c.Burst != nil {
		s.addOptional("cpu.burst", "cpu.max.burst", strconv.FormatUint(*c.Burst, 10), *c.Burst == 0)
	}
}

// cpuMax returns quota and period, in microseconds, in the format of cpu.max, and the
// field that they come from; "" if neither is set.
func cpuMax(c *specs.LinuxCPU) (field, value string) {
	quota, period := "max", uint64(100000) // the kernel's default
	if c.Period != nil && *c.Period != 0 {
		field, period = "cpu.period", *c.Period
	}
	if c.Quota != nil && *c.Quota != 0 {
		field = "cpu.quota"
		if *c.Quota > 0 {
			quota = strconv.FormatInt(*c.Quota, 10)
		}
	}
	return field, quota + " " + strconv.FormatUint(period, 10)
}

// cpuWeight converts shares (2 to 262144, default 1024) to a v2 weight (1 to 10000,
// default 100). The curve maps minimum, default and maximum to each other; runtimes and
// kubelet agreed on it in 2025. The linear conversion used before gave a container with
// default shares less than half of the weight of a default cgroup.
func cpuWeight(shares uint64) uint64 {
	switch {
	case shares <= 2:
		return 1
	case shares >= 262144:
		return 10000
	}
	l := math.Log2(float64(shares))
	return uint64(math.Ceil(math.Pow(10, (l*l+125*l)/612-7.0/34)))
}

func memoryV2(r *specs.LinuxResources, s *settings) {
	m := r.Memory
	if m == nil {
		return
	}
	s.refuse(m.Kernel != nil && *m.Kernel > 0, "memory.kernel", noV2)
	s.refuse(m.KernelTCP != nil && *m.KernelTCP > 0, "memory.kernelTCP", noV2)
	s.refuse(m.Swappiness != nil, "memory.swappiness", noV2)
	s.refuse(m.DisableOOMKiller != nil && *m.DisableOOMKiller, "memory.disableOOMKiller", noV2)
	s.refuse(m.UseHierarchy != nil && !*m.UseHierarchy, "memory.useHierarchy", "must not be false: memory is always accounted hierarchically")
	swap, err := swapV2(m)
	if err != nil {
		s.faults = append(s.faults, &FieldError{"linux.resources.memory.swap", err})
	}
	if swap != "" {
		// Without swap the kernel has no such file, and both "max" and "0" are
		// fulfilled.
		s.add("memory.swap", "memory.swap.max", swap).optional = swap == "max" || swap == "0"
	}
	s.addAmount("memory.limit", "memory.max", m.Limit, "max")
	s.addAmount("memory.reservation", "memory.low", m.Reservation, "max")
}

// addAmount adds a number of bytes or microseconds unless it is nil or 0, which means
// "not set". -1 means no limit, and is written as none.
func (s *settings) addAmount(field, file string, v *int64, none string) {
	switch {
	case v == nil || *v == 0:
	case *v == -1:
		s.addOptional(field, file, none, true)
	case *v < 0:
		s.refuse(true, field, fmt.Sprintf("must be greater than 0, or -1 for no limit, not %d", *v))
	default:
		s.add(field, file, strconv.FormatInt(*v, 10))
	}
}

// swapV2 converts memory.swap, which is memory and swap together, to the amount of swap
// alone. If memory is unlimited and swap is not given, swap is unlimited, as in v1.
func swapV2(m *specs.LinuxMemory) (string, error) {
	limit, swap := value(m.Limit), value(m.Swap)
	switch {
	case swap == 0 && limit == -1, swap == -1:
		return "max", nil
	case swap == 0:
		return "", nil
	case swap < 0:
		return "", invalid("must be greater than 0, or -1 for no limit, not %d", swap)
	case limit == -1:
		return strconv.FormatInt(swap, 10), nil
	case limit == 0:
		return "", invalid("cannot be set without memory.limit")
	case swap < limit:
		return "", invalid("%d is the limit of memory and swap together, and must not be less than memory.limit, %d", swap, limit)
	}
	return strconv.FormatInt(swap-limit, 10), nil
}

func value(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

func ioV2(r *specs.LinuxResources, s *settings) {
	b := r.BlockIO
	if b == nil {
		return
	}
	const leaf = "blockIO.leafWeight"
	s.refuse(b.LeafWeight != nil && *b.LeafWeight != 0, leaf, noV2)
	if b.Weight != nil && *b.Weight != 0 {
		s.ioWeight("blockIO.weight", "", *b.Weight)
	}
	for i, d := range b.WeightDevice {
		field := fmt.Sprintf("blockIO.weightDevice[%d]", i)
		s.refuse(d.LeafWeight != nil && *d.LeafWeight != 0, field+".leafWeight", noV2)
		if d.Weight != nil && *d.Weight != 0 {
			s.ioWeight(field+".weight", fmt.Sprintf("%d:%d ", d.Major, d.Minor), *d.Weight)
		}
	}
	for _, t := range throttles(b) {
		for i, d := range t.list {
			rate := "max" // 0 removes a limit, as in v1
			if d.Rate != 0 {
				rate = strconv.FormatUint(d.Rate, 10)
			}
			s.addOptional(fmt.Sprintf("blockIO.%s[%d]", t.field, i), "io.max",
				fmt.Sprintf("%d:%d %s=%s", d.Major, d.Minor, t.key, rate), d.Rate == 0)
		}
	}
}

// ioWeight sets a weight of 10 to 1000 for the scheduler BFQ, or if the kernel lacks
// it, converts it to the 1 to 10000 of io.weight (blk-iocost).
func (s *settings) ioWeight(field, device string, weight uint16) {
	if weight < 10 || weight > 1000 {
		s.refuse(true, field, fmt.Sprintf("must be between 10 and 1000, not %d", weight))
		return
	}
	cost := 1 + (uint64(weight)-10)*9999/990
	s.add(field, "io.bfq.weight", device+strconv.FormatUint(uint64(weight), 10)).fallback = &setting{
		field: field, file: "io.weight", value: device + strconv.FormatUint(cost, 10)}
}

type throttle struct {
	field, key, legacy string
	list               []specs.LinuxThrottleDevice
}

func throttles(b *specs.LinuxBlockIO) [4]throttle {
	return [...]throttle{
		{"throttleReadBpsDevice", "rbps", "blkio.throttle.read_bps_device", b.ThrottleReadBpsDevice},
		{"throttleWriteBpsDevice", "wbps", "blkio.throttle.write_bps_device", b.ThrottleWriteBpsDevice},
		{"throttleReadIOPSDevice", "riops", "blkio.throttle.read_iops_device", b.ThrottleReadIOPSDevice},
		{"throttleWriteIOPSDevice", "wiops", "blkio.throttle.write_iops_device", b.ThrottleWriteIOPSDevice},
	}
}

func hugetlbV2(r *specs.LinuxResources, s *settings) { s.hugetlb(r, "max") }

// hugetlb limits both the pages in use and the pages reserved: a container could
// otherwise take the whole pool by mapping it.
func (s *settings) hugetlb(r *specs.LinuxResources, suffix string) {
	for i, h := range r.HugepageLimits {
		field := fmt.Sprintf("hugepageLimits[%d]", i)
		if !pageSize(h.Pagesize) {
			s.refuse(true, field+".pageSize", fmt.Sprintf("%q must be a number followed by KB, MB or GB", h.Pagesize))
			continue
		}
		limit := strconv.FormatUint(h.Limit, 10)
		s.addOptional(field, "hugetlb."+h.Pagesize+"."+suffix, limit, unlimited(limit))
		s.addOptional(field, "hugetlb."+h.Pagesize+".rsvd."+suffix, limit, unlimited(limit))
	}
}

// pageSize reports whether size is safe as a part of a hugetlb file's name. In a
// runtime that did not check it, it led to any file of the host (GHSA-5g49-rx9x-qfc6).
func pageSize(size string) bool {
	if len(size) < 3 || len(size) > 12 {
		return false
	}
	for _, c := range size[:len(size)-2] {
		if c < '0' || c > '9' {
			return false
		}
	}
	switch size[len(size)-2:] {
	case "KB", "MB", "GB":
		return true
	}
	return false
}
