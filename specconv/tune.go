// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"errors"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// numbered is a word of the specification and the kernel's number for it.
type numbered struct {
	name string
	n    uint64
}

// find returns the number of a word. If the table does not have it, that is a fault of
// field.
func (c *compiler) find(table []numbered, word, field string) (uint64, bool) {
	i := slices.IndexFunc(table, func(e numbered) bool { return e.name == word })
	switch {
	case i >= 0:
		return table[i].n, true
	case word == "":
		c.fault(field, "is required: must be one of %s", names(table))
	default:
		c.fault(field, "must be one of %s, not %q", names(table), word)
	}
	return 0, false
}

func names(table []numbered) string { return strings.Join(wordsOf(table), ", ") }

func wordsOf(table []numbered) []string {
	s := make([]string, len(table))
	for i := range table {
		s[i] = table[i].name
	}
	return s
}

// config.md, "Linux Process"; the numbers are those of sched(7). The kernel reserves 4 for
// SCHED_ISO, a policy that it never had.
var (
	schedPolicies = [...]numbered{
		{"SCHED_OTHER", unix.SCHED_NORMAL}, {"SCHED_FIFO", unix.SCHED_FIFO}, {"SCHED_RR", unix.SCHED_RR}, {"SCHED_BATCH", unix.SCHED_BATCH},
		{"SCHED_ISO", 4}, {"SCHED_IDLE", unix.SCHED_IDLE}, {"SCHED_DEADLINE", unix.SCHED_DEADLINE},
	}
	schedFlags = [...]numbered{
		{"SCHED_FLAG_RESET_ON_FORK", unix.SCHED_FLAG_RESET_ON_FORK}, {"SCHED_FLAG_RECLAIM", unix.SCHED_FLAG_RECLAIM},
		{"SCHED_FLAG_DL_OVERRUN", unix.SCHED_FLAG_DL_OVERRUN}, {"SCHED_FLAG_KEEP_POLICY", unix.SCHED_FLAG_KEEP_POLICY},
		{"SCHED_FLAG_KEEP_PARAMS", unix.SCHED_FLAG_KEEP_PARAMS}, {"SCHED_FLAG_UTIL_CLAMP_MIN", unix.SCHED_FLAG_UTIL_CLAMP_MIN},
		{"SCHED_FLAG_UTIL_CLAMP_MAX", unix.SCHED_FLAG_UTIL_CLAMP_MAX},
	}
	ioClasses = [...]numbered{{"IOPRIO_CLASS_RT", 1}, {"IOPRIO_CLASS_BE", 2}, {"IOPRIO_CLASS_IDLE", 3}}
)

// tuning compiles the scheduling, I/O priority and CPU affinity of the process.
func (c *compiler) tuning(p *specs.Process, field string) {
	if p.Scheduler != nil {
		c.scheduler(p.Scheduler, under(field, "scheduler"))
	}
	if p.IOPriority != nil {
		c.ioPriority(p.IOPriority, under(field, "ioPriority"))
	}
	if p.ExecCPUAffinity != nil {
		c.affinity(p.ExecCPUAffinity, under(field, "execCPUAffinity"))
	}
}

func (c *compiler) scheduler(s *specs.Scheduler, field string) {
	policy, ok := c.find(schedPolicies[:], string(s.Policy), field+".policy")
	out := &plan.Scheduler{
		Name: string(s.Policy), Policy: uint32(policy), Nice: s.Nice, Priority: uint32(s.Priority),
		Runtime: s.Runtime, Deadline: s.Deadline, Period: s.Period,
	}
	for i, f := range s.Flags {
		bit, _ := c.find(schedFlags[:], string(f), at(field+".flags", i))
		out.Flags |= bit
	}
	c.out.Process.Scheduler = out
	if s.Nice < -20 || s.Nice > 19 {
		c.fault(field+".nice", "must be between -20 and 19, not %d", s.Nice)
	}
	if !ok {
		return
	}
	if policy != unix.SCHED_NORMAL && policy != unix.SCHED_BATCH && s.Nice != 0 {
		c.warn(field+".nice", "%d has no effect with %s", s.Nice, s.Policy)
	}
	realtime := policy == unix.SCHED_FIFO || policy == unix.SCHED_RR
	switch {
	case realtime && (s.Priority < 1 || s.Priority > 99):
		c.fault(field+".priority", "must be between 1 and 99 for %s, not %d", s.Policy, s.Priority)
	case !realtime && s.Priority != 0:
		c.fault(field+".priority", "must be 0 for %s, not %d: only SCHED_FIFO and SCHED_RR have priorities", s.Policy, s.Priority)
	}
	c.deadline(s, out.Flags, field)
}

// deadline checks the parameters of SCHED_DEADLINE, in nanoseconds (sched_setattr(2)):
// 1024 <= runtime <= deadline <= period < 2^63. No other policy may have them.
func (c *compiler) deadline(s *specs.Scheduler, flags uint64, field string) {
	if s.Policy != specs.SchedDeadline {
		if s.Runtime|s.Deadline|s.Period != 0 {
			c.fault(field, "runtime, deadline and period can only be set for SCHED_DEADLINE, not for %s", s.Policy)
		}
		if flags&(unix.SCHED_FLAG_RECLAIM|unix.SCHED_FLAG_DL_OVERRUN) != 0 {
			c.fault(field+".flags", "SCHED_FLAG_RECLAIM and SCHED_FLAG_DL_OVERRUN can only be set for SCHED_DEADLINE, not for %s", s.Policy)
		}
		return
	}
	period := s.Period
	if period == 0 {
		period = s.Deadline // the kernel's default
	}
	switch {
	case s.Runtime < 1024:
		c.fault(field+".runtime", "must be at least 1024 ns, not %d", s.Runtime)
	case s.Runtime > s.Deadline:
		c.fault(field+".runtime", "%d ns must not exceed the deadline, %d ns", s.Runtime, s.Deadline)
	case s.Deadline > period:
		c.fault(field+".deadline", "%d ns must not exceed the period, %d ns", s.Deadline, period)
	case period > 1<<63-1:
		c.fault(field+".period", "must be less than 2^63 ns, not %d", period)
	}
}

// ioPriority compiles to the value of ioprio_set(2), which has the class from bit 13 on.
func (c *compiler) ioPriority(p *specs.LinuxIOPriority, field string) {
	class, _ := c.find(ioClasses[:], string(p.Class), field+".class")
	if p.Priority < 0 || p.Priority > 7 {
		c.fault(field+".priority", "must be between 0 and 7, not %d", p.Priority)
	}
	value := uint32(class)<<13 | uint32(p.Priority&7)
	c.out.Process.IOPriority = &value
}

// affinity only takes effect for an exec. When a container is made it is checked, as later
// execs inherit it from the configuration.
func (c *compiler) affinity(a *specs.CPUAffinity, field string) {
	initial := c.set(a.Initial, field+".initial", "CPU")
	final := c.set(a.Final, field+".final", "CPU")
	if c.out.Joined {
		c.out.Process.CPUInitial, c.out.Process.CPUFinal = initial, final
	}
}

// set converts a list of numbers and ranges ("0-3,7") to a bit mask, in the form of
// [proc.CPUList]. what is the kind of the numbers, for errors.
func (c *compiler) set(list, field, what string) []byte {
	mask, err := proc.CPUList(list)
	var high proc.TooHigh
	switch {
	case errors.As(err, &high):
		c.fault(field, "%q: %s %v", list, what, high)
	case err != nil:
		c.fault(field, "%q must be a list of numbers and ranges, such as 0-3,7", list)
	}
	return mask
}

// config-linux.md, "Memory policy"; the numbers are those of set_mempolicy(2).
const (
	mpolDefault       = 0
	mpolPreferred     = 1
	mpolBind          = 2
	mpolLocal         = 4
	mpolPreferredMany = 5

	mpolNumaBalancing = 1 << 13
	mpolRelativeNodes = 1 << 14
	mpolStaticNodes   = 1 << 15
)

var (
	memoryModes = [...]numbered{
		{"MPOL_DEFAULT", mpolDefault}, {"MPOL_BIND", mpolBind}, {"MPOL_INTERLEAVE", 3}, {"MPOL_WEIGHTED_INTERLEAVE", 6},
		{"MPOL_PREFERRED", mpolPreferred}, {"MPOL_PREFERRED_MANY", mpolPreferredMany}, {"MPOL_LOCAL", mpolLocal},
	}
	memoryFlags = [...]numbered{
		{"MPOL_F_NUMA_BALANCING", mpolNumaBalancing}, {"MPOL_F_RELATIVE_NODES", mpolRelativeNodes}, {"MPOL_F_STATIC_NODES", mpolStaticNodes},
	}
)

// memoryPolicy compiles the memory policy. It refuses what the kernel would refuse with
// EINVAL (mm/mempolicy.c, mpol_new and sanitize_mpol_flags).
func (c *compiler) memoryPolicy() {
	m := c.linux.MemoryPolicy
	if m == nil {
		return
	}
	const field = "linux.memoryPolicy"
	mode, ok := c.find(memoryModes[:], string(m.Mode), field+".mode")
	var flags uint64
	for i, f := range m.Flags {
		bit, _ := c.find(memoryFlags[:], string(f), at(field+".flags", i))
		flags |= bit
	}
	nodes := c.set(m.Nodes, field+".nodes", "node")
	c.out.Process.MemoryPolicy = &plan.MemoryPolicy{Name: string(m.Mode), Mode: uint32(mode | flags), Nodes: nodes}
	none := mode == mpolDefault || mode == mpolLocal
	const where = mpolRelativeNodes | mpolStaticNodes
	switch {
	case !ok:
	case none && m.Nodes != "":
		c.fault(field+".nodes", "must be empty for %s", m.Mode)
	case !none && mode != mpolPreferred && m.Nodes == "":
		c.fault(field+".nodes", "must not be empty for %s", m.Mode)
	case flags&where == where:
		c.fault(field+".flags", "MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES are mutually exclusive")
	case flags&where != 0 && m.Nodes == "":
		c.fault(field+".flags", "MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES require linux.memoryPolicy.nodes")
	case flags&mpolNumaBalancing != 0 && mode != mpolBind && mode != mpolPreferredMany:
		c.fault(field+".flags", "MPOL_F_NUMA_BALANCING can only be used with MPOL_BIND and MPOL_PREFERRED_MANY, not with %s", m.Mode)
	}
}

// config-linux.md, "Personality"; the numbers are those of personality(2).
var personalities = [...]numbered{{"LINUX", 0}, {"LINUX32", 8}}

func (c *compiler) personality() {
	p := c.linux.Personality
	if p == nil {
		return
	}
	domain, _ := c.find(personalities[:], string(p.Domain), "linux.personality.domain")
	for i, f := range p.Flags {
		c.fault(at("linux.personality.flags", i), "%q is not supported: no personality flags are defined", f)
	}
	value := uint32(domain)
	c.out.Process.Personality = &value
}
