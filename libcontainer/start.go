package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/hooks"
	"github.com/skiff-oci/skiff/libcontainer/launch"
	"github.com/skiff-oci/skiff/libcontainer/notify"
	"golang.org/x/sys/unix"
)

// Start starts the program of a container that was created. An error of the
// last steps, the execve included, is the container's end. Where a manager
// waits to hear that the container is ready, so does Start, until the container
// ends.
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

// start is all that is done with the container locked.
func (c *Container) start(o StartOptions) (_ *notify.Proxy, init *os.File, err error) {
	unlock, err := c.lock()
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	if err := c.takesStart(); err != nil {
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

// takesStart leaves it to the connection whether a process has the socket.
func (c *Container) takesStart() error {
	status, err := c.status(c.entry.Waiting)
	switch {
	case err != nil:
		return err
	case status == Stopped, status == Creating:
		return errors.New("cannot start a container that has stopped")
	case status == Running:
		return errors.New("cannot start an already running container")
	case status == Paused:
		return fmt.Errorf("cannot start: %w", ErrPaused)
	case c.state == 'T':
		return errors.New("cannot start: the container's first process is stopped (SIGCONT lets it go on)") // and would not answer
	}
	return c.thawedAbove("start")
}

// release lets the first process go on, and runs the hooks for that.
func (c *Container) release() error {
	conn, err := c.entry.Connect()
	if errors.Is(err, unix.ECONNREFUSED) {
		return errors.New("cannot start an already running container")
	}
	if err != nil {
		return err
	}
	if err := launch.Release(conn, planSteps(c.record.Tail), c.record.First, c.host.Debug); err != nil {
		// The child has told us before it ends; a delete that comes next has to
		// find it stopped.
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

// destroyAfter deletes the container if err is of a hook (runtime.md,
// "Lifecycle": steps 7 and 9 then go on at step 12). After any other error of
// start it has stopped, and is the caller's to delete.
func (c *Container) destroyAfter(err error) error {
	if failed := (*hooks.Failed)(nil); !errors.As(err, &failed) {
		return err
	}
	return errors.Join(err, c.destroy(removal{force: true}))
}

// runHooks runs hooks outside, and tells Debug how long they take.
func (c *Container) runHooks(list []specs.Hook, point string, s specs.State, first *os.File) error {
	if len(list) == 0 {
		return nil
	}
	return c.host.timed(fmt.Sprintf("%d %s hook(s)", len(list), point), func() error { return hooks.Run(list, point, s, first) })
}

// poststart runs the hooks of that name.
func (c *Container) poststart(list []specs.Hook) error {
	if len(list) == 0 {
		return nil
	}
	return c.runHooks(list, "poststart", c.hookState(specs.StateRunning), nil) // a short program may have ended
}

// hooks are the hooks of the container's configuration, which is read only if
// it has some: most have none, and it costs more than all the rest of start.
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

// hookState is the document for hooks that run when the container exists.
func (c *Container) hookState(status specs.ContainerState) specs.State {
	r := c.record
	s := specs.State{Version: r.OCIVersion, ID: r.ID, Status: status, Pid: r.Pid, Bundle: r.Bundle, Annotations: r.Annotations}
	if status == specs.StateStopped {
		s.Pid = 0
	}
	return s
}
