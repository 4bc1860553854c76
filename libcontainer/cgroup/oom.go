package cgroup

import (
	"math"
	"strconv"
)

// OOMKills counts the processes of the group that the kernel killed for want
// of memory.
func (g *Group) OOMKills() (uint64, error) {
	m, file := g.legacy("memory"), "memory.oom_control"
	if m == nil {
		m, file = g.unified(), "memory.events"
	}
	if m == nil {
		return 0, nil
	}
	s, err := m.peek(file)
	if gone(err) {
		return 0, nil // no memory controller
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(keyed(s, "oom_kill"), 10, 64)
}

// Mark has [Group.OOMKilled] speak of what comes after. A cgroup that is made
// anew needs none.
func (g *Group) Mark() { g.kills, _ = g.OOMKills() }

// MarkNone has it speak of nothing, as what was before is not known.
func (g *Group) MarkNone() { g.kills = math.MaxUint64 }

// OOMKilled reports whether the kernel has killed a process of the group for
// want of memory.
func (g *Group) OOMKilled() bool {
	now, err := g.OOMKills()
	return err == nil && now > g.kills
}

// MemoryLimit is the group's own limit, in bytes; empty if it has none.
func (g *Group) MemoryLimit() string {
	m, file := g.legacy("memory"), "memory.limit_in_bytes"
	if m == nil {
		m, file = g.unified(), "memory.max"
	}
	if m == nil {
		return ""
	}
	limit, err := m.peek(file)
	if err != nil || unlimited(limit) {
		return ""
	}
	return limit
}
