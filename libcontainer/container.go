// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/netdev"
	"github.com/skiff-oci/skiff/libcontainer/store"
	"github.com/skiff-oci/skiff/libcontainer/trace"
)

// Container is a container that was created at some time; it may have stopped since.
type Container struct {
	host   *Host
	entry  *store.Entry
	record *store.Record
	state  byte // state of the first process at the last look (proc_pid_stat(5)): 'S', 'T' ...

	looker *cgroup.Looker // what looks at the freezers of several containers, or nil
	net    *netdev.Move   // network devices that a failing create has to move back
}

// Load finds a container by its id. Errors are [ErrNotExist], [ErrInvalidID], and
// [ErrDamaged]; with the last one the container is returned all the same, for Delete by
// force.
func (h *Host) Load(id string) (*Container, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	c := h.container(id)
	return c, c.read()
}

// container returns a container that need not exist.
func (h *Host) container(id string) *Container {
	e := store.At(h.Root, id)
	e.Writer = h.Version
	return &Container{host: h, entry: e, record: &store.Record{ID: id}}
}

// read reads the record. With [ErrDamaged] the container has what is known about it,
// which is enough only for Delete by force.
func (c *Container) read() error {
	r, err := c.entry.Read()
	if r != nil {
		c.record = r
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c.notExist()
	case errors.Is(err, ErrDamaged) && !errors.Is(err, fs.ErrPermission):
		return fault.Hint(err, "use delete --force "+c.ID()+" to kill and remove the container")
	}
	return err
}

// notExist returns [ErrNotExist] with the root that was searched: the container may be
// below another caller's root.
func (c *Container) notExist() error {
	return fmt.Errorf("%w: %q in %s", ErrNotExist, c.ID(), c.host.Root)
}

// lock takes the container's lock and then reads the record.
func (c *Container) lock() (unlock func(), err error) {
	if err := c.take(); err != nil {
		c.entry.Unlock()
		return nil, err
	}
	return c.entry.Unlock, nil
}

// take is lock, except that the lock may be held even after an error. The container may
// have been deleted since it was looked up, or while take waited. If there is a newer
// one with the same id, that is another container, and the error is ErrNotExist.
func (c *Container) take() error {
	return c.takeBy(func() error { return c.entry.LockOr(c.waitForLock) })
}

func (c *Container) takeBy(lock func() error) error {
	before := c.record.Created
	err := trace.Timed("lock", c.entry.Path(), lock)
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

// IDs returns the ids of all containers. The error is fs.ErrNotExist if the root is
// missing.
func (h *Host) IDs() ([]string, error) {
	ids, err := store.List(h.Root)
	if err != nil {
		return nil, fmt.Errorf("--root: %w", err)
	}
	return ids, nil
}

// List returns the ids of all containers. The second result has an error for each
// container whose record cannot be read. The error is fs.ErrNotExist if the root is
// missing.
func (h *Host) List() (all []string, broken []error, err error) {
	broken, err = h.each(func(c *Container) error {
		found := c.entry.Sound()
		if !found {
			if err := c.read(); err != nil {
				return c.named(err)
			}
			found = !c.noRecord()
		}
		if found {
			all = append(all, c.ID())
		}
		return nil
	})
	return all, broken, err
}

// States returns the states of all containers, and errors as in [Host.List].
func (h *Host) States() (all []*State, broken []error, err error) {
	broken, err = h.each(func(c *Container) error {
		if err := c.read(); err != nil {
			return c.named(err)
		}
		if c.noRecord() {
			return nil
		}
		s, err := c.State()
		if err == nil {
			all = append(all, s)
		}
		return err
	})
	return all, broken, err
}

// named adds the container's id to an error.
func (c *Container) named(err error) error { return fmt.Errorf("container %s: %w", c.ID(), err) }

// each calls look with each directory that may be a container's, and returns its errors
// but [ErrNotExist]: then the container has just been deleted. look must not keep the
// container.
func (h *Host) each(look func(*Container) error) (broken []error, err error) {
	ids, err := h.IDs()
	if err != nil {
		return nil, err
	}
	var r store.Reader
	defer r.Close()
	var l cgroup.Looker
	defer l.Close()
	unread := new(store.Record)
	for _, id := range ids {
		if CheckID(id) != nil {
			continue
		}
		unread.ID = id
		if err := look(&Container{host: h, entry: r.At(h.Root, id), record: unread, looker: &l}); err != nil && !errors.Is(err, ErrNotExist) {
			broken = append(broken, err)
		}
	}
	return broken, nil
}

// noRecord reports whether the container is only a directory without a record, and no
// runtime is working on it. Nothing else was made for it then, and the directory may
// not even be a container's.
func (c *Container) noRecord() bool {
	if !c.record.Created.IsZero() {
		return false
	}
	busy, err := c.busy()
	return err != nil || !busy
}

// ID returns the container's id.
func (c *Container) ID() string { return c.record.ID }

// Config returns the config.json of the container: the one that it was created with, as
// later changed by Update, AddMounts and RemoveMounts.
func (c *Container) Config() ([]byte, error) { return c.entry.Config() }

// Status returns the container's current status. A process that waits for start is alive,
// and no other one can have the socket open, so that there is no need to look at it.
func (c *Container) Status() (Status, error) {
	if c.record.Pid != 0 && c.entry.Awaits() {
		return c.orPaused(Created)
	}
	return c.status(c.alive, func() bool { return false })
}

// status is Status, except that alive reports whether the first process is alive, and
// waits whether it waits for start.
func (c *Container) status(alive func() (bool, error), waits func() bool) (Status, error) {
	p, err := alive()
	switch {
	case err != nil:
		return Stopped, err
	case c.record.Pid == 0:
		busy, err := c.busy()
		if busy {
			return Creating, err
		}
		return Stopped, err // the runtime that was creating it was killed
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

// busy reports whether a runtime holds the container's lock, which one that creates the
// container does.
func (c *Container) busy() (bool, error) {
	busy, err := c.entry.Busy()
	if errors.Is(err, fs.ErrNotExist) {
		return false, c.notExist()
	}
	return busy, err
}

func (c *Container) group() (*cgroup.Group, error) { return cgroup.Load(c.record.Cgroups) }

func (c *Container) frozen() (bool, error) {
	l := c.looker
	if l == nil {
		l = new(cgroup.Looker)
		defer l.Close()
	}
	return l.Frozen(c.record.Cgroups)
}

// State returns the document that `state` prints.
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

func (h *Host) warn(format string, args ...any) {
	if h.Warn != nil {
		h.Warn(format, args...)
	}
}
