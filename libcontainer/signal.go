// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// Signal sends sig to the container's first process, or with all to every process of
// the container. The error is [ErrNotRunning] if there is none.
//
// SIGKILL kills the whole cgroup if the first process has no pid namespace of its own:
// in its own namespace the kernel would kill the others with it. So it does if the
// first process has ended and has left others behind.
func (c *Container) Signal(sig unix.Signal, all bool) error {
	alive, err := c.init()
	if err != nil {
		return err
	}
	switch {
	case sig == unix.SIGKILL && (all || alive && !c.ownsPids() || !alive && c.leavesOthers()):
		return c.killAll(alive)
	case all:
		return c.signalAll(sig)
	case !alive:
		return ErrNotRunning
	}
	if err := c.signalInit(sig); err != nil {
		return err
	}
	if sig == unix.SIGKILL {
		return c.letDie()
	}
	return nil
}

// letDie thaws processes that were sent SIGKILL: under cgroup v1 a frozen process does
// not die.
func (c *Container) letDie() error {
	g, err := c.group()
	if err != nil {
		return err
	}
	return g.LetDie(deadline())
}

// ownsPids reports whether all processes of the container end with the first one,
// because that is the init process of the pid namespace, and has not joined one that
// others are in, too.
func (c *Container) ownsPids() bool {
	return c.record.Namespaces&unix.CLONE_NEWPID != 0 && sys.IsNamespaceInit(c.record.Pid)
}

// leavesOthers reports whether other processes of the container may remain when the
// first one has ended, which is so in a pid namespace that the container has joined or
// shares with the runtime. If it had a new one, all ended with the first process, and
// whatever is in its cgroup then is not the container's.
func (c *Container) leavesOthers() bool {
	if c.record.Pid == 0 {
		return false
	}
	if c.record.Namespaces&unix.CLONE_NEWPID == 0 {
		return true
	}
	var config struct {
		Linux struct{ Namespaces []specs.LinuxNamespace }
	}
	b, err := c.Config()
	if err != nil || json.Unmarshal(b, &config) != nil {
		return false
	}
	joined := func(n specs.LinuxNamespace) bool { return n.Type == specs.PIDNamespace && n.Path != "" }
	return slices.ContainsFunc(config.Linux.Namespaces, joined)
}

// signalInit signals the first process by pidfd, and checks again that it is the same
// process once the pidfd is open, so that a reused pid is never hit.
func (c *Container) signalInit(sig unix.Signal) error {
	pidfd, err := sys.Pidfd(c.record.Pid)
	if errors.Is(err, unix.ESRCH) {
		return ErrNotRunning
	}
	if err != nil {
		return err
	}
	defer pidfd.Close()
	if alive, err := c.init(); err != nil || !alive {
		return errors.Join(err, ErrNotRunning)
	}
	m := trace.Begin()
	err = sys.PidfdSignal(pidfd, sig)
	if m.On() {
		m.Done(err, "send "+unix.SignalName(sig)+" to process", strconv.Itoa(c.record.Pid))
	}
	if errors.Is(err, unix.ESRCH) {
		return ErrNotRunning
	}
	return err
}

func (c *Container) killAll(alive bool) error {
	g, err := c.group()
	if err != nil {
		return err
	}
	if g.Empty() {
		return c.signalAll(unix.SIGKILL)
	}
	populated, err := g.Populated()
	if err != nil {
		return err
	}
	if !populated && !alive {
		return ErrNotRunning
	}
	return g.Kill()
}

// signalAll signals every process of the container. Those that appear meanwhile are not
// signalled.
func (c *Container) signalAll(sig unix.Signal) error {
	pids, err := c.Pids()
	if err != nil {
		return err
	}
	if len(pids) == 0 {
		return ErrNotRunning
	}
	m := trace.Begin()
	err = sys.SignalMembers(pids, sig, c.Pids)
	if m.On() {
		m.Done(err, "send "+unix.SignalName(sig)+" to processes", fmt.Sprint(pids))
	}
	return err
}

// Pids returns the pids of all processes of the container, in the runtime's pid
// namespace.
func (c *Container) Pids() ([]int, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	pids, err := g.Pids()
	if g.Empty() {
		pids, err = c.loosePids()
	}
	if err != nil {
		return nil, fmt.Errorf("list the container's processes: %w", err)
	}
	return pids, nil
}

// loosePids returns the pids of a container without a cgroup: those of its pid
// namespace if it has one of its own, or else only the first process.
func (c *Container) loosePids() ([]int, error) {
	alive, err := c.init()
	if err != nil || !alive {
		return nil, err
	}
	if !c.ownsPids() {
		return []int{c.record.Pid}, nil
	}
	return sys.PidsOfNamespace(c.record.Pid)
}
