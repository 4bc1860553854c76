package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/netdev"
	"github.com/skiff-oci/skiff/libcontainer/store"
)

// Container is one that was made, whatever has become of it since.
type Container struct {
	host   *Host
	entry  *store.Entry
	record *store.Record
	state  byte // of the first process when it was looked at last (proc_pid_stat(5)): 'S', 'T' ...

	net *netdev.Move // network devices that a create which fails has to return
}

// Load finds a container by its id; [ErrNotExist], [ErrInvalidID]. Beside
// [ErrDamaged] there is one all the same, which Delete can remove by force.
func (h *Host) Load(id string) (*Container, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	c := h.container(id)
	return c, c.read()
}

// container is one that may not be there.
func (h *Host) container(id string) *Container {
	e := store.At(h.Root, id)
	e.Writer = h.Version
	return &Container{host: h, entry: e, record: &store.Record{ID: id}}
}

// read reads the record anew. After [ErrDamaged] the container has what is known
// of it nevertheless, and that is enough for Delete by force alone.
func (c *Container) read() error {
	r, err := c.entry.Read()
	if r != nil {
		c.record = r
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c.notExist()
	case errors.Is(err, ErrDamaged):
		return fmt.Errorf("%w (delete --force %s ends and removes the container)", err, c.ID())
	}
	return err
}

// notExist is [ErrNotExist], with where the container was looked for: it may be
// below the root of another caller.
func (c *Container) notExist() error {
	return fmt.Errorf("%w: %s (in %s)", ErrNotExist, c.ID(), c.host.Root)
}

// lock takes the container's lock and reads the record as it is then.
func (c *Container) lock() (unlock func(), err error) {
	if err := c.take(); err != nil {
		c.entry.Unlock()
		return nil, err
	}
	return c.entry.Unlock, nil
}

// take is lock, after whose error the lock may be held. While it was waited for,
// or since the container was looked up, that one may have been deleted: one made
// since then under the same id is another (ErrNotExist).
func (c *Container) take() error {
	return c.takeBy(func() error { return c.entry.LockOr(c.await) })
}

func (c *Container) takeBy(lock func() error) error {
	before := c.record.Created
	err := c.host.timed("lock "+c.entry.Path(), lock)
	if errors.Is(err, fs.ErrNotExist) {
		return c.notExist()
	}
	if err != nil {
		return err
	}
	err = c.read()
	if now := c.record.Created; !before.IsZero() && !now.IsZero() && !now.Equal(before) {
		return c.notExist()
	}
	return err
}

// IDs are the ids of all containers. The error is fs.ErrNotExist if the root is
// missing.
func (h *Host) IDs() ([]string, error) {
	ids, err := store.List(h.Root)
	if err != nil {
		return nil, fmt.Errorf("--root: %w", err)
	}
	return ids, nil
}

// List finds all containers. The second result tells of those whose state
// cannot be read. The error is fs.ErrNotExist if the root is missing.
func (h *Host) List() (all []*Container, broken []error, err error) {
	ids, err := h.IDs()
	if err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		c, err := h.Load(id)
		switch {
		case err == nil && c.noRecord():
			// It is no container.
		case err == nil:
			all = append(all, c)
		case !errors.Is(err, ErrNotExist) && !errors.Is(err, ErrInvalidID): // else it has just been deleted, or is no container
			broken = append(broken, fmt.Errorf("container %s: %w", id, err))
		}
	}
	return all, broken, nil
}

// noRecord reports whether a directory is all that there is of the container, and
// nobody is at work on it: it may be anybody's, and nothing was made but that.
func (c *Container) noRecord() bool {
	if !c.record.Created.IsZero() {
		return false
	}
	busy, err := c.busy()
	return err != nil || !busy
}

// ID is the container's id.
func (c *Container) ID() string { return c.record.ID }

// Config is the config.json that the container was made with, as it was then.
func (c *Container) Config() ([]byte, error) { return c.entry.Config() }

// Status looks what the container is doing.
func (c *Container) Status() (Status, error) {
	return c.status(func() bool { return c.entry.Waiting() && c.entry.Waited() })
}

// status is Status by a caller's own look whether the process waits for start.
func (c *Container) status(waits func() bool) (Status, error) {
	p, err := c.init()
	switch {
	case err != nil:
		return Stopped, err
	case c.record.Pid == 0:
		busy, err := c.busy()
		if busy {
			return Creating, err
		}
		return Stopped, err // its maker was killed
	case !p:
		return Stopped, nil
	case waits():
		return c.orPaused(Created)
	}
	return c.orPaused(Running)
}

func (c *Container) orPaused(s Status) (Status, error) {
	frozen, err := c.frozen()
	if frozen {
		return Paused, err
	}
	return s, err
}

// busy tells whether somebody is making the container.
func (c *Container) busy() (bool, error) {
	busy, err := c.entry.Busy()
	if errors.Is(err, fs.ErrNotExist) {
		return false, c.notExist()
	}
	return busy, err
}

func (c *Container) group() (*cgroup.Group, error) { return cgroup.Load(c.record.Cgroups) }

func (c *Container) frozen() (bool, error) {
	g, err := c.group()
	if err != nil {
		return false, err
	}
	return g.Frozen()
}

// State is the document that `state` prints.
func (c *Container) State() (*State, error) {
	status, err := c.Status()
	if err != nil {
		return nil, err
	}
	r := c.record
	s := &State{
		Version: r.OCIVersion, ID: r.ID, Pid: r.Pid, Status: status.String(), Bundle: r.Bundle, Rootfs: r.Rootfs,
		Created: r.Created, Annotations: r.Annotations, Owner: c.owner(),
	}
	if status == Stopped {
		s.Pid = 0
	}
	return s, nil
}

// timed calls f and tells Debug how long that took.
func (h *Host) timed(what string, f func() error) error {
	if h.Debug == nil {
		return f()
	}
	begun := time.Now()
	err := f()
	h.Debug("runtime: %s: %d µs", what, time.Since(begun).Microseconds())
	return err
}

func (h *Host) warn(format string, args ...any) {
	if h.Warn != nil {
		h.Warn(format, args...)
	}
}
