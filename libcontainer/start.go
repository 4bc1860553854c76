package libcontainer

import (
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/hooks"
	"github.com/skiff-oci/skiff/libcontainer/launch"
	"golang.org/x/sys/unix"
)

// Start starts the program of a container that was created. An error of the
// last steps, the execve included, is the container's end.
func (c *Container) Start() error {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	status, err := c.Status()
	if err != nil {
		return err
	}
	switch status {
	case Created:
	case Stopped, Creating:
		return errors.New("cannot start a container that has stopped")
	case Running:
		return errors.New("cannot start an already running container")
	case Paused:
		return fmt.Errorf("cannot start: %w", ErrPaused)
	}
	conn, err := c.entry.Connect()
	if errors.Is(err, unix.ECONNREFUSED) {
		return errors.New("cannot start an already running container")
	}
	if err != nil {
		return err
	}
	if err := launch.Release(conn, c.record.Tail, c.record.First); err != nil {
		return err
	}
	spec, err := c.specWithHooks()
	if err != nil || spec == nil {
		return err
	}
	return c.poststart(spec.Hooks.Poststart)
}

// poststart runs the hooks of that name. One that fails ends the container
// (runtime.md, "Lifecycle", step 9).
func (c *Container) poststart(list []specs.Hook) error {
	if len(list) == 0 {
		return nil
	}
	err := hooks.Run(list, "poststart", c.hookState(specs.StateRunning))
	if err == nil {
		return nil
	}
	if g, groupErr := c.group(); groupErr == nil {
		return errors.Join(err, g.Kill())
	}
	return err
}

// specWithHooks is the container's configuration if it has hooks, else nil:
// most have none, and reading it costs more than all the rest of start.
func (c *Container) specWithHooks() (*specs.Spec, error) {
	if !c.record.Hooks {
		return nil, nil
	}
	return c.Spec()
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
