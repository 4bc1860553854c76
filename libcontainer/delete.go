package libcontainer

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Delete removes a container that has stopped; with force, one that runs, or
// waits for start, is killed. It finds everything that a runtime which was
// killed at any moment has left. With force, another runtime that is at work on
// the container is interrupted.
func (c *Container) Delete(force bool) error {
	lock := c.lock
	if force {
		lock = c.seize
	}
	unlock, err := lock()
	if force && errors.Is(err, ErrNotExist) {
		return nil // whoever held it has come to that
	}
	if err != nil {
		return err
	}
	defer unlock()
	stopped, err := c.mayDelete(force)
	if err != nil {
		return err
	}
	return c.destroy(stopped)
}

// destroy undoes what was done to make the container, whose lock is held, and
// runs its poststop hooks.
func (c *Container) destroy(stopped bool) error {
	if err := c.endAll(stopped); err != nil {
		return err
	}
	for _, release := range [...]func() error{c.stopUnit, c.unmountRoot, c.recoverDevices, c.removeClass} {
		if err := release(); err != nil {
			return err
		}
	}
	h, hooksErr := c.hooks()
	if err := c.entry.Remove(); err != nil {
		return errors.Join(err, hooksErr)
	}
	c.poststop(h.Poststop)
	return hooksErr
}

// mayDelete tells whether the container has stopped; without force it must
// have. One that is created is refused, too (runtime.md, "Delete": MUST).
func (c *Container) mayDelete(force bool) (stopped bool, err error) {
	status, err := c.Status()
	stopped = err == nil && status == Stopped
	switch {
	case stopped, force:
		return stopped, nil
	case err != nil:
		return false, err
	}
	return false, fmt.Errorf("cannot delete container %s that is not stopped: %s (--force kills it)", c.ID(), status)
}

// endAll kills what is left of the container and removes its cgroup: a first
// process without a pid namespace of its own leaves others behind.
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
			return fmt.Errorf("container init still running: %w", err)
		}
	}
	if stopped {
		return nil
	}
	return c.endInit()
}

// endInit kills the first process if somebody has moved it out of the
// container's cgroup, and waits for its end: a cgroup can be removed before the
// last of a process is gone.
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
	limit := time.Now().Add(endWait)
	for wait := 50 * time.Microsecond; ; wait *= 2 {
		alive, err := c.init()
		if err != nil || !alive {
			return err
		}
		if time.Now().After(limit) {
			return errors.New("container init still running")
		}
		time.Sleep(min(wait, 20*time.Millisecond))
	}
}
