// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// place sets the cgroup's limits while the child is at work, and moves the child
// into its v1 cgroups. The limits of v1 come before the move: device rules are
// written one by one, and the child must not make a node in between. For a child
// that has yet to fork they come after the fork, as the limit may be one process. The
// network namespace comes at once, or after the word for which the child waits first.
func (b *binding) place(s *spawned) error {
	if !b.awaitsGo() {
		if err := b.handNetwork(s); err != nil {
			return err
		}
	}
	g := b.Cgroup
	if g == nil || b.placesFork() {
		return nil
	}
	if b.Limit && !b.forks {
		if err := g.Limit(); err != nil {
			return err
		}
	}
	if b.awaitsGo() {
		if err := b.moveInto(g, s); err != nil {
			return fmt.Errorf("linux.cgroupsPath: %w", err)
		}
		if err := s.conn.Answer(wire.Go, int64(s.pid)); err != nil {
			return err
		}
		return b.handNetwork(s)
	}
	return nil
}

// handNetwork gives the child the network namespace that is made ahead, or tells it to make
// one.
func (b *binding) handNetwork(s *spawned) error {
	if b.ahead == 0 {
		return nil
	}
	return trace.Timed("wait for the network namespace", "", func() error {
		f, err := b.Network.Open()
		if err != nil {
			trace.Say("make the network namespace ahead: %v: the child makes it", err)
			return s.conn.Answer(wire.Network, int64(s.pid))
		}
		defer f.Close()
		return s.conn.Hand(wire.Network, int64(s.pid), int(f.Fd()))
	})
}

// placesFork reports whether the process that the child forks is moved into the
// cgroups, and the child is not.
func (b *binding) placesFork() bool { return b.late && b.forks }

// placeFork moves the process that the child has forked into the cgroups, if that
// waited for it and the caller does not do it, and sets the cgroup's limits.
func (b *binding) placeFork(pid int) error {
	if b.late && !b.Waits.Entered {
		if err := b.joinAll(b.Cgroup, pid); err != nil {
			return err
		}
	}
	if b.Limit {
		return b.Cgroup.Limit()
	}
	return nil
}

// moveInto moves the child into the cgroups that it was not cloned into.
func (b *binding) moveInto(g *cgroup.Group, s *spawned) error {
	switch {
	case b.Waits.Entered:
		return nil
	case s.inCgroup:
		return g.Join(s.pid)
	}
	return b.joinAll(g, s.pid)
}

// awaitsGo reports whether the child has to wait until it has been moved into
// cgroups.
func (b *binding) awaitsGo() bool {
	if b.late {
		return !b.forks
	}
	return b.Waits.Entered || b.Cgroup != nil && b.Cgroup.Legacy()
}

// joinAll moves a process into the cgroup in each hierarchy. If the cgroup takes no
// processes, an exec goes to the cgroup of the container's init.
func (b *binding) joinAll(g *cgroup.Group, pid int) error {
	err := g.JoinAll(pid)
	if !errors.Is(err, unix.EBUSY) || b.Init == nil {
		return err
	}
	near, err := b.nearInit(err)
	if err != nil {
		return err
	}
	trace.Say("move process %d into the container's cgroup: it takes no process (EBUSY): it is moved into the cgroup of process %d", pid, b.InitPid)
	return near.JoinAll(pid)
}
