// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"slices"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// Kill sends SIGKILL to every process of the group and of the cgroups below it,
// including those that are forked meanwhile and those that are frozen. It does not wait
// for their end; [Group.Remove] does.
func (g *Group) Kill() error {
	if err := g.guard(); err != nil {
		return err
	}
	unified, freezer := g.unified(), g.legacy("freezer")
	if unified != nil {
		if err := unified.kill(); err != nil {
			return err
		}
		if len(g.members) == 1 {
			return nil
		}
	}
	if freezer == nil {
		return g.killLegacy()
	}
	state, err := freezer.read("freezer.state")
	if gone(err) || err == nil && unified != nil && state == "THAWED" {
		// At most processes that were moved by hand are left, or ones that a cgroup
		// below freezes.
		if err := g.killLegacy(); err != nil {
			return err
		}
		return freezer.thawBelow()
	}
	if err != nil {
		return err
	}
	return g.killFrozen(freezer)
}

// kill has the kernel kill the processes of a v2 cgroup and of all below it, so that no
// fork escapes (cgroup.kill, Linux 5.14). The kernel refuses that for a threaded
// cgroup, whose processes belong to a cgroup above: they are frozen and killed one by
// one.
func (m *member) kill() error {
	err := m.write("cgroup.kill", "1")
	if !isThreaded(err) {
		if gone(err) {
			return nil
		}
		return err
	}
	if err := m.write("cgroup.freeze", "1"); err != nil && !gone(err) {
		return err
	}
	err = killAll(m.path, func() ([]int, error) { return pidsBelow(m.path) })
	if thaw := m.write("cgroup.freeze", "0"); err == nil && !gone(thaw) {
		err = thaw
	}
	return err
}

// killFrozen freezes the v1 cgroups, so that their processes cannot fork, signals them,
// and thaws them, so that they can die.
func (g *Group) killFrozen(freezer *member) error {
	// If this takes too long, the processes are killed without it, in more rounds.
	frozen := freezer.freezeV1(true, time.Now().Add(100*time.Millisecond)) == nil
	err := g.killLegacy()
	if thaw := freezer.freezeV1(false, time.Now().Add(time.Second)); err == nil && !gone(thaw) {
		err = thaw
	}
	if thaw := freezer.thawBelow(); err == nil {
		err = thaw
	}
	if err != nil || frozen {
		return err
	}
	return g.killLegacy()
}

// legacyPids lists the processes of all v1 hierarchies: a process may have been moved
// out of the group in one of them.
func (g *Group) legacyPids() ([]int, error) {
	var pids []int
	for i := range g.members {
		if g.members[i].unified() {
			continue
		}
		more, err := pidsBelow(g.members[i].path)
		if err != nil {
			return nil, err
		}
		pids = append(pids, more...)
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

func (g *Group) killLegacy() error {
	if g.Empty() {
		return nil
	}
	return killAll(g.processMember().path, g.legacyPids)
}

// killAll kills the processes that list returns, in rounds, until there are only ones
// that were signalled before, which are dying.
func killAll(where string, list func() ([]int, error)) error {
	sent := make(map[int]bool)
	for range 100 {
		pids, err := list()
		if err != nil {
			return err
		}
		pids = slices.DeleteFunc(pids, func(pid int) bool { return sent[pid] })
		if len(pids) == 0 {
			return nil
		}
		if err := sys.SignalMembers(pids, unix.SIGKILL, list); err != nil {
			return err
		}
		for _, pid := range pids {
			sent[pid] = true
		}
	}
	return fmt.Errorf("cannot kill the processes in %s: new ones appear faster than they are killed", where)
}
