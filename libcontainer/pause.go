// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/fault"
)

// freezeWait is how long the kernel may take to freeze or thaw all processes.
const freezeWait = 10 * time.Second

func deadline() time.Time { return time.Now().Add(freezeWait) }

// Pause freezes all processes of the container, and returns when they are frozen.
// Errors include [ErrPaused], [ErrNotRunning], and [cgroup.ErrNone] for a container
// without a cgroup.
func (c *Container) Pause() error {
	return c.setFrozen(func(s Status) error {
		switch s {
		case Running, Created:
			return nil
		case Paused:
			return fmt.Errorf("cannot pause: %w", ErrPaused)
		}
		return fmt.Errorf("%w: it is %s", ErrNotRunning, s)
	}, true)
}

// Resume thaws the processes of a paused container. Errors include [ErrNotPaused].
func (c *Container) Resume() error {
	return c.setFrozen(func(s Status) error {
		if s == Paused {
			return nil
		}
		return fmt.Errorf("%w: it is %s", ErrNotPaused, s)
	}, false)
}

// cgroupRemedy says how a container gets a cgroup of its own.
func cgroupRemedy(rootless bool) string {
	if rootless {
		return cgroup.Delegation
	}
	return "create it without --cgroup-manager disabled"
}

func (c *Container) setFrozen(allowed func(Status) error, on bool) error {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	status, err := c.Status()
	if err != nil {
		return err
	}
	if err := allowed(status); err != nil {
		return err
	}
	g, err := c.group()
	if err != nil {
		return err
	}
	if g.Empty() {
		return fault.Hint(cgroup.ErrNone, cgroupRemedy(c.host.Rootless))
	}
	if !on {
		return g.Thaw(deadline())
	}
	if err := g.Freeze(deadline()); err != nil {
		return errors.Join(err, g.Thaw(deadline()))
	}
	return nil
}
