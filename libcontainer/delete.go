// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/hooks"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// Delete removes a container that has stopped or was never started. With force it also
// kills a running one, and one whose record is damaged; another runtime that is working
// on the container is interrupted.
//
// It finds everything that is left of a runtime that was killed at any time. That may
// have been a Delete: then the poststop hooks run now, unless all of them ran before.
func (c *Container) Delete(force bool) error {
	defer c.entry.Unlock()
	take := c.take
	if force {
		take = c.seize
	}
	damage := take()
	if damage != nil && !(force && errors.Is(damage, ErrDamaged)) {
		return damage
	}
	if damage != nil {
		c.host.warn("%v: only what could be read from it is removed", errors.Unwrap(damage))
	}
	stopped, err := c.mayDelete(force)
	if err != nil {
		return err
	}
	if damage != nil {
		return c.destroy(removal{force: true, damaged: true})
	}
	return c.destroy(removal{stopped: stopped, force: force})
}

// removal says how to remove a container.
type removal struct {
	stopped bool // the container has no process, as far as is known
	force   bool // remove it even if its poststop hooks are not known
	damaged bool // the record may be wrong
}

// destroy undoes the creation of the container, whose lock is held, and runs its
// poststop hooks.
func (c *Container) destroy(how removal) error {
	r := c.record
	for _, step := range [...]struct {
		what string
		has  bool // there is something to do
		do   func() error
	}{
		{"end the processes and remove the cgroups", true, func() error { return c.endAll(how.stopped) }},
		{"stop the systemd unit", r.Unit.Name != "", c.stopUnit},
		{"unmount the root", r.Under != 0, c.unmountRoot},
		{"bring network devices back", len(r.Network.Devices) > 0, c.recoverDevices},
		{"remove the resctrl class", r.RDT.Remove || r.RDT.Monitor != "", c.removeClass},
	} {
		if !step.has {
			continue
		}
		err := trace.Timed(step.what, "", step.do)
		if err != nil && !how.damaged {
			return err
		}
		if err != nil {
			c.host.warn("%v", err)
		}
	}
	if how.damaged {
		if err := c.endInit(); err != nil {
			return err
		}
	}
	if err := c.poststop(how.force); err != nil {
		return err
	}
	return c.entry.Remove()
}

// poststop runs the poststop hooks. They run before the state directory is removed, so
// that after a delete which was killed the next one runs them. It runs all of them
// again if some had run, because it is unknown what the interrupted one has done.
func (c *Container) poststop(force bool) error {
	h, err := c.hooks()
	switch {
	case err == nil:
		c.runPoststop(h.Poststop)
	case errors.Is(err, fs.ErrNotExist): // they have run, or the container was never finished
	case !force && c.record.Pid != 0:
		return fault.Hint(fmt.Errorf("cannot read the container's poststop hooks: %w", err), "use --force to delete it without running them")
	case c.record.Pid != 0:
		c.host.warn("the poststop hooks were not run, because they could not be read: %v", err)
	}
	return nil
}

// runPoststop runs poststop hooks. A failing one causes a warning, and the others still
// run (runtime.md, "Lifecycle", step 13).
func (c *Container) runPoststop(list []specs.Hook) {
	if len(list) == 0 {
		return
	}
	var failed []error
	_ = trace.Timed("run hooks", "poststop", func() error {
		failed = hooks.RunAll(list, "poststop", c.hookState(specs.StateStopped))
		return errors.Join(failed...)
	})
	for _, err := range failed {
		c.host.warn("%v", err)
	}
}

// mayDelete returns an error if the container may not be deleted, and reports whether
// it has stopped. Without force it must have stopped, or be created and not started:
// all runtimes allow the latter, and engines rely on it when their part of a start
// fails.
func (c *Container) mayDelete(force bool) (stopped bool, err error) {
	status, err := c.Status()
	stopped = err == nil && status == Stopped
	switch {
	case stopped, force, err == nil && status == Created:
		return stopped, nil
	case err != nil:
		return false, err
	}
	err = fmt.Errorf("cannot delete container %s that is not stopped: %s", c.ID(), status)
	return false, fault.With(fault.StillRunning, fault.Hint(err, "use --force to kill it"))
}

// endAll kills the remaining processes of the container and removes its cgroup. Even a
// stopped container may have some: a first process without a pid namespace of its own
// leaves others behind.
func (c *Container) endAll(stopped bool) error {
	g, err := c.group()
	if err != nil {
		return err
	}
	if g.Empty() && !stopped {
		if err := c.signalAll(unix.SIGKILL); err != nil && !errors.Is(err, ErrNotRunning) {
			return err
		}
	}
	if !g.RemoveEmpty() {
		if err := g.Kill(); err != nil {
			return err
		}
		if err := g.Remove(time.Now().Add(endWait)); err != nil {
			return fault.With(fault.StillRunning, fmt.Errorf("container init still running: %w", err))
		}
	}
	if stopped {
		return nil
	}
	return c.endInit()
}

// endInit kills the first process, which may have been moved out of the container's
// cgroup, and waits for its end: a cgroup can be removed before the last process has
// quite ended.
func (c *Container) endInit() error {
	if alive, err := c.init(); err != nil || !alive {
		return err
	}
	if err := c.signalInit(unix.SIGKILL); err != nil && !errors.Is(err, ErrNotRunning) {
		return err
	}
	return c.awaitInit()
}

func (c *Container) awaitInit() error {
	return trace.Timed("wait for the end of the first process", "", c.pollInit)
}

func (c *Container) pollInit() error {
	limit := time.Now().Add(endWait)
	for wait := 50 * time.Microsecond; ; wait *= 2 {
		alive, err := c.init()
		if err != nil || !alive {
			return err
		}
		if time.Now().After(limit) {
			return fault.New(fault.StillRunning, "container init still running")
		}
		time.Sleep(min(wait, 20*time.Millisecond))
	}
}
