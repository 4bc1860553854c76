package cgroup

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Kill sends SIGKILL to every process of the group and of the cgroups below
// it, new ones that they make meanwhile included. It does not wait for their
// end: [Group.Remove] does. Frozen processes die too.
func (g *Group) Kill() error {
	if err := g.guard(); err != nil {
		return err
	}
	unified, freezer := g.unified(), g.legacy("freezer")
	if unified != nil {
		// The kernel does it (cgroup.kill, Linux 5.14), and no fork escapes.
		if err := unified.write("cgroup.kill", "1"); err != nil && !gone(err) {
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
		return g.killLegacy() // what is left, at most what was moved by hand
	}
	if err != nil {
		return err
	}
	return g.killFrozen(freezer)
}

// killFrozen kills what is in the v1 hierarchies while it can make no new
// process. The thaw lets the signal in.
func (g *Group) killFrozen(freezer *member) error {
	// Not frozen in time, they are killed all the same, if in more rounds.
	frozen := freezer.freezeV1(true, time.Now().Add(100*time.Millisecond)) == nil
	err := g.killLegacy()
	if thaw := freezer.freezeV1(false, time.Now().Add(time.Second)); err == nil && !gone(thaw) {
		err = thaw
	}
	if err != nil || frozen {
		return err
	}
	return g.killLegacy()
}

// legacyPids lists the processes of the v1 hierarchies: of all, since a
// process may have been moved in one of them.
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

// killLegacy kills what is in the v1 hierarchies, in rounds, until a round
// finds no process that was not sent the signal before: those are dying.
func (g *Group) killLegacy() error {
	var sent []int
	for range 100 {
		pids, err := g.legacyPids()
		if err != nil {
			return err
		}
		pids = slices.DeleteFunc(pids, func(pid int) bool { return slices.Contains(sent, pid) })
		if len(pids) == 0 {
			return nil
		}
		if err := g.killEach(pids); err != nil {
			return err
		}
		sent = append(sent, pids...)
	}
	return fmt.Errorf("kill: processes are made faster than they are killed in %s", g.witness().path)
}

// killEach signals by pidfd, and only what is still in the group once the
// pidfd is held: a pid alone may belong to a stranger by then.
func (g *Group) killEach(pids []int) error {
	fds := make([]int, 0, len(pids))
	held := make([]int, 0, len(pids))
	defer func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}()
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if err == unix.ESRCH || err == unix.EINVAL { // gone; or a thread whose leader is
			continue
		}
		if err != nil {
			return fmt.Errorf("pidfd_open %d: %w", pid, err)
		}
		fds, held = append(fds, fd), append(held, pid)
	}
	now, err := g.legacyPids()
	if err != nil {
		return err
	}
	for i, pid := range held {
		if !slices.Contains(now, pid) {
			continue
		}
		if err := unix.PidfdSendSignal(fds[i], unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
			return fmt.Errorf("kill %d: %w", pid, err)
		}
	}
	return nil
}
