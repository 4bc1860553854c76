package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// Signal sends sig to the container's first process, with all to every process
// of the container. [ErrNotRunning] if there is none.
//
// SIGKILL to a first process without a pid namespace of its own goes to the
// whole cgroup: in its own namespace the kernel would end the others with it. So
// it does where that process has gone, and has left others.
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

// letDie thaws processes that were sent SIGKILL: those frozen by cgroup v1 do
// not die.
func (c *Container) letDie() error {
	g, err := c.group()
	if err != nil {
		return err
	}
	return g.LetDie(deadline())
}

// ownsPids tells that all processes of the container end with the first: it is
// the init of a pid namespace, not in one that others have, too.
func (c *Container) ownsPids() bool {
	return c.record.Namespaces&unix.CLONE_NEWPID != 0 && sys.IsNamespaceInit(c.record.Pid)
}

// leavesOthers reports whether processes of the container can be there when the
// first has gone: those in a pid namespace that others have, too. Its own ends
// with the first process; what is in its cgroup then is not the container's.
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

// signalInit signals by pidfd: the process is looked at again once the pidfd
// holds it, so that a pid used anew is never hit.
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
	err = sys.PidfdSignal(pidfd, sig)
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

// signalAll signals every process of the cgroup, those that appear meanwhile
// not.
func (c *Container) signalAll(sig unix.Signal) error {
	pids, err := c.Pids()
	if err != nil {
		return err
	}
	if len(pids) == 0 {
		return ErrNotRunning
	}
	return sys.SignalMembers(pids, sig, c.Pids)
}

// Pids lists all processes of the container, as the runtime sees them.
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
		return nil, fmt.Errorf("processes of the container: %w", err)
	}
	return pids, nil
}

// loosePids lists the processes of a container without a cgroup: those of its
// pid namespace, if that is its own, else its first process alone.
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
