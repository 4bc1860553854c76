// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/hooks"
	"github.com/skiff-oci/skiff/libcontainer/launch"
	"github.com/skiff-oci/skiff/libcontainer/notify"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// Start starts the program of a created container. If one of the last steps before the
// program fails, the execve included, the container ends. If a manager waits for the
// container's readiness, Start returns when the container is ready or has ended.
func (c *Container) Start(o StartOptions) error {
	proxy, init, err := c.start(o)
	if err != nil {
		return err
	}
	if init != nil {
		defer init.Close()
		c.awaitReady(proxy, init)
	}
	return nil
}

// start is the part of Start during which the container is locked.
func (c *Container) start(o StartOptions) (_ *notify.Proxy, init *os.File, err error) {
	unlock, err := c.lock()
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	if err := c.mayStart(); err != nil {
		return nil, nil, err
	}
	proxy, err := c.listenNotify(o)
	if err != nil {
		return nil, nil, err
	}
	if init, err = c.openInit(proxy); err == nil {
		err = c.release()
	}
	if err != nil && proxy != nil {
		proxy.Close()
	}
	return proxy, init, err
}

// mayStart returns an error if the container cannot be started. Whether its first
// process still waits at the socket is left to the connection that follows.
func (c *Container) mayStart() error {
	status, err := c.status(c.init, c.entry.Waiting)
	switch {
	case err != nil:
		return err
	case status == Stopped, status == Creating:
		return fault.New(fault.NotRunning, "cannot start a container that has stopped")
	case status == Running:
		return fault.New(fault.StillRunning, "cannot start an already running container")
	case status == Paused:
		return fmt.Errorf("cannot start: %w", ErrPaused)
	case c.state == 'T':
		return fault.Hint(errors.New("cannot start: the container's first process is stopped"), "send it SIGCONT") // it would not answer
	}
	return c.thawedAbove("start")
}

// release lets the first process continue, and then runs the poststart hooks.
func (c *Container) release() error {
	conn, err := c.entry.Connect()
	if errors.Is(err, unix.ECONNREFUSED) {
		return fault.New(fault.StillRunning, "cannot start an already running container")
	}
	if err != nil {
		return err
	}
	if err := launch.Release(conn, c.record.Pid, planSteps(c.record.Tail), c.record.First); err != nil {
		err = fault.In(fault.Launch, err)
		// The child reports the failure before it ends. Wait for its end, so that a
		// delete that follows finds it stopped.
		if waitErr := c.awaitInit(); waitErr != nil {
			return fmt.Errorf("%w; %w", err, waitErr)
		}
		return c.destroyAfter(err)
	}
	if err := c.sightLate(); err != nil {
		return err
	}
	h, err := c.hooks()
	if err != nil {
		return err
	}
	return c.destroyAfter(c.poststart(h.Poststart))
}

// destroyAfter deletes the container if err is that of a hook (runtime.md, "Lifecycle":
// a failure in step 7 or 9 continues at step 12). After any other error of start the
// container has stopped, and the caller deletes it.
func (c *Container) destroyAfter(err error) error {
	if failed := (*hooks.Failed)(nil); !errors.As(err, &failed) {
		return err
	}
	return errors.Join(err, c.destroy(removal{force: true}))
}

// runHooks runs hooks in the runtime's namespaces.
func (c *Container) runHooks(list []specs.Hook, point string, s specs.State, first *os.File) error {
	if len(list) == 0 {
		return nil
	}
	return trace.Timed("run hooks", point, func() error { return hooks.Run(list, point, s, first) })
}

// poststart runs the poststart hooks.
func (c *Container) poststart(list []specs.Hook) error {
	if len(list) == 0 {
		return nil
	}
	return c.runHooks(list, "poststart", c.hookState(specs.StateRunning), nil) // although a short program may have ended
}

// hooks returns the hooks of the container's configuration. The configuration is read
// only if it has some, because most have none and reading it costs more than all the
// rest of start.
func (c *Container) hooks() (specs.Hooks, error) {
	var config struct{ Hooks specs.Hooks }
	if !c.record.Hooks {
		return config.Hooks, nil
	}
	b, err := c.Config()
	if err != nil {
		return config.Hooks, err
	}
	if err := json.Unmarshal(b, &config); err != nil {
		return config.Hooks, fmt.Errorf("%s/config.json: %w", c.entry.Path(), err)
	}
	return config.Hooks, nil
}

// hookState returns the state document for hooks of a container that has a record.
func (c *Container) hookState(status specs.ContainerState) specs.State {
	r := c.record
	s := specs.State{Version: r.OCIVersion, ID: r.ID, Status: status, Pid: r.Pid, Bundle: r.Bundle, Annotations: r.Annotations}
	if status == specs.StateStopped {
		s.Pid = 0
	}
	return s
}
