// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/hooks"
	"github.com/skiff-oci/skiff/libcontainer/launch"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/rdt"
	"github.com/skiff-oci/skiff/libcontainer/store"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"github.com/skiff-oci/skiff/libcontainer/undo"
)

// making is a container that Create or Restore is making. What it has outside itself
// is in its state directory before it exists, and on the undo stack.
type making struct {
	*Container
	plan    *plan.Launch
	raw     []byte // config.json as it was read, which exec reads again
	io      IO
	group   *cgroup.Group
	unit    *unit               // nil without systemd
	enter   func(pid int) error // moves a process into the cgroup; nil: it is cloned into it
	process *Process
	undo    undo.Stack
}

// newMaking begins to make a container. [making.end] has to be called at the end.
func (h *Host) newMaking(l *plan.Launch, raw []byte, io IO) *making {
	return &making{Container: h.container(l.ID), plan: l, raw: raw, io: io, process: new(Process)}
}

// end undoes all if *err is an error, and lets go of the state directory and of
// systemd: undoing needs both.
func (m *making) end(err *error) {
	m.undo.Unwind(err)
	m.entry.Unlock()
	m.unit.Close()
}

// made keeps what was made.
func (m *making) made() (*Container, *Process) {
	m.undo.Release()
	if m.net != nil {
		m.net.Close()
	}
	m.process.begun = trace.Begin()
	return m.Container, m.process
}

// findCgroup resolves the container's cgroup. One that is refused belongs to others:
// this comes before the record, since whoever deletes a container kills all that is
// in its cgroups. Most likely it is that of the container that has the id; or it was
// that a moment ago, and is being deleted now.
func (m *making) findCgroup() (err error) {
	for range 10 {
		if m.group, m.unit, err = m.host.newGroup(m.plan); err == nil {
			return nil
		}
		if m.entry.Exists() {
			return fmt.Errorf("%w: %s", ErrExist, m.ID())
		}
		if !errors.Is(err, cgroup.ErrNotEmpty) && !errors.Is(err, cgroup.ErrFrozen) {
			break
		}
	}
	return err
}

// claim writes down what the container is to have outside itself, and makes it.
// crowded: others than the container's processes are in its unit at first.
func (m *making) claim(crowded bool) error {
	class, err := findClass(m.plan)
	if err != nil {
		return err
	}
	if err := m.intend(class); err != nil {
		return err
	}
	if m.enter, err = m.unit.create(m.group, crowded, &m.undo); err != nil {
		return err
	}
	return m.makeClass(class, &m.undo)
}

// intend makes the state directory, locks it and writes down what is about to be
// made.
func (m *making) intend(class *rdt.Group) error {
	l := m.plan
	m.record = &store.Record{
		OCIVersion: l.OCIVersion, ID: l.ID, Bundle: l.Bundle, Rootfs: l.Rootfs.Path, Created: time.Now().UTC(),
		Annotations: l.Annotations, Cgroups: m.group.Paths(), Namespaces: namespaceFlags(l),
		Hooks: len(l.Hooks.Poststart)+len(l.Hooks.Poststop) > 0, NoKeyring: m.io.NoNewKeyring,
	}
	if m.unit != nil {
		m.record.Unit = store.Unit{Name: m.unit.Name, User: m.host.Rootless}
	}
	if class != nil {
		m.record.RDT = store.RDT{Class: class.Class, Monitor: class.Monitor, Remove: class.Made}
	}
	if launch.SharesMounts(l) {
		var err error
		if m.record.Under, err = sys.MountID(l.Rootfs.Path); err != nil {
			return fmt.Errorf("root.path: %w", err)
		}
	}
	if err := m.make(); err != nil {
		return err
	}
	m.undo.Push(m.forget)
	m.undo.Push(m.unmountRoot)
	return nil
}

// make makes the state directory with the record, and locks it.
func (c *Container) make() error {
	err := c.entry.Make(c.record)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: %s", ErrExist, c.ID())
	case errors.Is(err, fs.ErrPermission):
		return fault.Hint(fmt.Errorf("--root: %w", err), "use --root to name a directory that you can write to, or set XDG_RUNTIME_DIR")
	}
	return err
}

// forget removes the state directory, unless something that it tells of could
// not be undone: that is left to delete, and so are the poststop hooks. From the
// moment at which the directory was made they run after each failure (runtime.md,
// "Lifecycle", steps 3 to 5), even if no hook has run before: they do not know
// how far create has come, and delete runs them for one that was killed as well.
func (m *making) forget() error {
	if m.undo.Failed() {
		return fmt.Errorf("parts of the container are left: remove them with delete --force %s", m.ID())
	}
	m.runPoststop(m.plan.Hooks.Poststop)
	return m.entry.Remove()
}

// unmountRoot takes the tree of a container without a mount namespace off the
// host. What was on the rootfs's path before stays.
func (c *Container) unmountRoot() error {
	if c.record.Under == 0 {
		return nil
	}
	now, err := sys.MountID(c.record.Rootfs)
	if err != nil || now == c.record.Under {
		return nil // not there (any more)
	}
	return sys.Detach(c.record.Rootfs)
}

// namespaceFlags are those that an exec has to join.
func namespaceFlags(l *plan.Launch) (flags uint64) {
	for _, n := range l.Namespaces {
		flags |= n.Flag
	}
	return flags
}

// mounted does the runtime's part when the namespaces and the mounts are made.
func (m *making) mounted(l *plan.Launch, run *launch.Running) error {
	if err := m.moveDevices(l, run.Pid, &m.undo); err != nil {
		return err
	}
	s := hooks.State(l, specs.StateCreating, run.Pid)
	if err := m.runHooks(l.Hooks.Prestart, "prestart", s, run.Pidfd); err != nil {
		return err
	}
	return m.runHooks(l.Hooks.CreateRuntime, "createRuntime", s, run.Pidfd)
}

// prepare writes the configuration and the record of a container that is being
// made, which [making.ready] puts in its place: by then the child waits for
// us, now it does not.
func (m *making) prepare(run *launch.Running) error {
	if err := m.joinClass(run.Pid); err != nil {
		return err
	}
	if err := m.entry.PutConfig(m.raw); err != nil {
		return err
	}
	if err := m.sight(run); err != nil {
		return err
	}
	m.record.Tail, m.record.First = leftSteps(run.Tail), run.First
	return m.entry.Prepare(m.record)
}

// ready makes the container known as made, and tells the caller.
func (m *making) ready(run *launch.Running) error {
	if err := m.entry.Commit(); err != nil {
		return err
	}
	return m.announceInit(run)
}

// announceInit hands out the pid and the pidfd of the first process, the pidfd
// also where an annotation says.
func (m *making) announceInit(run *launch.Running) error {
	if path, ok := m.record.Annotations[plan.PidfdReceiver]; ok {
		if !filepath.IsAbs(path) && !strings.HasPrefix(path, "@") {
			path = filepath.Join(m.record.Bundle, path)
		}
		if err := sendPidfd(path, run); err != nil {
			return fmt.Errorf("%s: %w", plan.AnnotationField(plan.PidfdReceiver), err)
		}
	}
	return m.announce(run, m.io, &m.undo)
}

// sendPidfd sends the pidfd to a socket.
func sendPidfd(socket string, run *launch.Running) error {
	return trace.Timed("send the pidfd to", socket, func() error { return sys.SendFD(socket, "pidfd", int(run.Pidfd.Fd())) })
}

// announce hands out the pid and the pidfd.
func (c *Container) announce(run *launch.Running, io IO, u *undo.Stack) error {
	if io.PidfdSocket != "" {
		if err := sendPidfd(io.PidfdSocket, run); err != nil {
			return fmt.Errorf("--pidfd-socket: %w", err)
		}
	}
	if io.PidFile != "" {
		m := trace.Begin()
		remove, err := sys.Publish(io.PidFile, strconv.AppendInt(nil, int64(run.Pid), 10), 0o666, c.entry.Path())
		m.Done(err, "write", io.PidFile)
		if err != nil {
			return fmt.Errorf("--pid-file: %w", err)
		}
		u.Push(remove)
	}
	return nil
}
