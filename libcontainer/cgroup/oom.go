// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"math"
	"strconv"
)

// OOMKills returns how many processes of the group the OOM killer has killed; 0 if
// there is no memory controller.
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

// Mark has [Group.OOMKilled] ignore the kills so far. A new cgroup does not need it.
func (g *Group) Mark() { g.killsBefore, _ = g.OOMKills() }

// MarkNone has [Group.OOMKilled] always return false: for callers that have no use for
// it, so that Mark's read is saved.
func (g *Group) MarkNone() { g.killsBefore = math.MaxUint64 }

// OOMKilled reports whether the OOM killer has killed a process of the group since
// [Group.Mark].
func (g *Group) OOMKilled() bool {
	now, err := g.OOMKills()
	return err == nil && now > g.killsBefore
}

// MemoryLimit returns the group's own memory limit, in bytes; "" if it has none.
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
