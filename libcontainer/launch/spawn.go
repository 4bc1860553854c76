// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/child"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"github.com/skiff-oci/skiff/libcontainer/tune"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// spawned is the child.
type spawned struct {
	pid      int // of the process that becomes the user's, as the runtime sees it
	pidfd    *os.File
	conn     *wire.Conn
	inCgroup bool // it was cloned into its cgroup v2
	reports  bool // it reports each of its operations
	reaped   bool // it has ended and been waited for, and the process that it forked is not known yet
	code     int  // its exit status, if reaped

	held wire.Message // one that came while its end was waited for
}

// open binds the request and opens what the child inherits. If the runtime is
// refused something that the child is able to open, it is left to the child.
func open(r *Request) (b *binding, files []*os.File, err error) {
	try, facts := *r, Probe()
	for {
		b, err = bind(&try, facts)
		try.Warn = r.Warn
		if err != nil {
			return nil, nil, err
		}
		files, err = b.open()
		switch {
		case errors.Is(err, rootfs.ErrRootByChild):
			trace.Say("clone the rootfs: it is on an unbindable mount: the child opens it")
			try.rootByChild = true
		case b.inside && !b.byChild && errors.Is(err, unix.EPERM): // root in a user namespace that does not own this mount namespace
			trace.Say("%v: the child clones the mounts", err)
			try.byChild = true
		default:
			return b, files, err
		}
		try.Warn = func(string, ...any) {} // the warnings have been given
	}
}

// errNoChild is the error of a build without the tag cparts, which has no child.
var errNoChild = fault.New(fault.IncompleteBuild, "this skiff was built without the program that becomes the container's process")

// spawn starts the child with the program. It closes files, except those of the caller.
func (b *binding) spawn(files []*os.File) (*spawned, error) {
	defer b.closeAll(files)
	if len(child.Binary) == 0 {
		return nil, fault.Hint(errNoChild, "build it with make")
	}
	if err := sys.OwnFiles(); err != nil {
		return nil, err
	}
	b.prog.TimerSlack, b.prog.Traces = sys.TimerSlack(), trace.On() && !b.silent
	text, err := b.prog.Encode()
	if err != nil {
		return nil, err
	}
	// Before exec, the Go runtime moves the descriptors that it passes on to the
	// lowest numbers, perhaps by way of numbers above the highest of them. It must
	// not replace the executable, which is named by its descriptor
	// (golang.org/issue/61751). So that one is above the lowest numbers, and the
	// program, which is passed on, is above that one.
	exe, err := sys.Executable("skiff-init", child.Binary, b.Scratch, int(program.SlotFirst)+len(b.Preserve)+len(files))
	if err != nil {
		return nil, err
	}
	defer unix.Close(exe)
	program, err := sys.SealedMemfd("skiff-program", text, false, exe+1)
	if err != nil {
		return nil, err
	}
	defer unix.Close(program)
	ours, theirs, err := sys.SocketPair()
	if err != nil {
		return nil, err
	}
	defer unix.Close(theirs)
	fds := []uintptr{b.Stdio[0].Fd(), b.Stdio[1].Fd(), b.Stdio[2].Fd(), uintptr(program), uintptr(theirs)}
	for _, fd := range b.Preserve {
		fds = append(fds, uintptr(fd))
	}
	for _, f := range files {
		fds = append(fds, f.Fd())
	}
	s := &spawned{conn: wire.NewConn(ours), reports: b.prog.Traces}
	if err := tune.Near(&b.Launch.Process, func() error { return b.clone(s, exe, fds) }); err != nil {
		s.conn.Close()
		return nil, err
	}
	if trace.On() {
		trace.Say("child %d has a program of %d operations, %d bytes, and %d descriptors", s.pid, len(b.prog.Ops), len(text), len(fds))
	}
	return s, nil
}

// clone clones the child into its cgroup. A cgroup that has controllers enabled for
// its children takes no process (EBUSY): an exec then goes to the cgroup of the
// container's init, unless the caller has named a cgroup.
func (b *binding) clone(s *spawned, exe int, fds []uintptr) error {
	err := b.cloneInto(s, b.Cgroup, exe, fds)
	if !errors.Is(err, unix.EBUSY) || b.Init == nil {
		return err
	}
	near, err := b.nearInit(err)
	if err != nil {
		return err
	}
	trace.Say("clone into the container's cgroup: it takes no process, since controllers are enabled below it (EBUSY): the cgroup of process %d takes its place", b.InitPid)
	b.Cgroup = near
	return b.cloneInto(s, near, exe, fds)
}

// nearInit returns the cgroup for an exec that the container's cgroup does not take.
func (b *binding) nearInit(busy error) (*cgroup.Group, error) {
	if len(b.Launch.Cgroup.Sub) > 0 {
		return nil, fault.Hint(fmt.Errorf("--cgroup: %w", busy), "a cgroup with controllers enabled in its cgroup.subtree_control cannot contain processes")
	}
	near, err := b.Cgroup.Of(b.InitPid)
	if err != nil {
		return nil, fmt.Errorf("the process cannot be put into the container's cgroup: %w; nor into that of its first process: %w", busy, err)
	}
	return near, nil
}

func (b *binding) cloneInto(s *spawned, g *cgroup.Group, exe int, fds []uintptr) (err error) {
	if m := trace.Begin(); m.On() {
		defer func() { m.Noted(err, "clone the child", "", b.whereto(s)) }()
	}
	pidfd := -1
	attr := &syscall.SysProcAttr{Cloneflags: uintptr(b.cloned), PidFD: &pidfd}
	if g != nil && !b.Waits.Entered && !b.late {
		dir, err := g.Open()
		if errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("the container's cgroup no longer exists: %w", err)
		}
		if err != nil {
			return err
		}
		if dir != nil {
			defer dir.Close()
			attr.UseCgroupFD, attr.CgroupFD, s.inCgroup = true, int(dir.Fd()), true
		}
	}
	pid, _, err := syscall.StartProcess(fmt.Sprintf("/proc/self/fd/%d", exe), []string{"skiff-init"}, &syscall.ProcAttr{
		Dir: "", Env: []string{}, Files: fds, Sys: attr,
	})
	if errors.Is(err, unix.EAGAIN) {
		return &fullError{fmt.Errorf("start the child: clone: %w", err)}
	}
	if err != nil {
		return fmt.Errorf("start the child: %w", startHint(err, b.cloned, s.inCgroup))
	}
	s.pid, s.pidfd = pid, os.NewFile(uintptr(pidfd), "pidfd")
	return nil
}

// whereto returns the words for where the child has been cloned to.
func (b *binding) whereto(s *spawned) string {
	words := fmt.Sprintf("process %d", s.pid)
	if b.cloned != 0 {
		words += " in new namespaces " + plan.NamespaceNames(b.cloned)
	}
	if s.inCgroup {
		words += " in the container's cgroup"
	}
	return words
}

func startHint(err error, flags uint64, inCgroup bool) error {
	if inCgroup { // then the system call is clone3(2)
		if explained := sys.Explain("clone3", err); explained != err {
			return fmt.Errorf("clone: %w", explained)
		}
	}
	switch {
	case errors.Is(err, unix.EPERM) && flags != 0:
		return fault.Hint(fmt.Errorf("clone: %w", err), "creating namespaces requires CAP_SYS_ADMIN")
	case errors.Is(err, unix.ENOSPC) && flags != 0:
		return fault.Hint(fmt.Errorf("clone: %w", err), program.NamespaceLimits(flags))
	case errors.Is(err, unix.EACCES):
		return fault.Hint(fmt.Errorf("clone: %w", err), "this user may not move a process from skiff's cgroup to the container's")
	}
	return err
}

// next waits for the child's next message, which should have type t. A child that
// forks is first waited for until it exits, and only then is its message read. The
// forked process has the socket as well, so if the child were killed before it
// sends the message, a read would block for ever. In that case the forked process
// ends when the conversation does.
func (s *spawned) next(t wire.Type) (m wire.Message, err error) {
	if t != wire.Forked {
		return s.conn.Receive()
	}
	if s.reports && !s.reaped {
		if m, err := s.report(); err != nil || m.Type != 0 {
			return m, err
		}
	}
	if !s.reaped {
		if s.code, err = sys.Wait(s.pid); err != nil {
			return m, err
		}
		s.reaped = true
	}
	if s.held.Type != 0 {
		m, s.held = s.held, wire.Message{}
		return m, nil
	}
	return s.conn.Left()
}

// report returns a message that needs no answer, for which a child may wait until there
// is room in the socket. It returns none once the child has sent another one, which is
// held, or has ended.
func (s *spawned) report() (wire.Message, error) {
	if s.held.Type != 0 {
		return wire.Message{}, nil
	}
	if err := sys.WaitEither(s.conn.FD(), int(s.pidfd.Fd())); err != nil {
		return wire.Message{}, err
	}
	m, err := s.conn.Left()
	switch {
	case errors.Is(err, wire.ErrClosed): // the end of the process told that there may be one
		return wire.Message{}, nil
	case err != nil:
		return wire.Message{}, err
	case m.Type == wire.Trace || m.Type == wire.Kept:
		return m, nil
	}
	s.held = m
	return wire.Message{}, nil
}

// forked switches to the process that the child has forked, and that goes on.
func (s *spawned) forked(pid int) error {
	if pid <= 0 {
		return fmt.Errorf("handshake: invalid pid %d of a forked process", pid)
	}
	pidfd, err := sys.Pidfd(pid)
	if err != nil {
		return err
	}
	s.pidfd.Close()
	s.pid, s.pidfd, s.reaped = pid, pidfd, false
	return nil
}

// kill kills the child, whatever it is doing, and reaps it.
func (s *spawned) kill() error {
	defer s.pidfd.Close()
	if s.reaped {
		return nil
	}
	err := sys.PidfdSignal(s.pidfd, unix.SIGKILL)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	_, err = sys.Wait(s.pid)
	return err
}

// died explains why the conversation ended without a message.
func (s *spawned) died(err error) error {
	if !errors.Is(err, wire.ErrClosed) {
		return err
	}
	_ = sys.PidfdSignal(s.pidfd, unix.SIGKILL)
	code, waitErr := s.code, error(nil)
	if !s.reaped {
		code, waitErr = sys.WaitPeek(s.pid)
	}
	if waitErr == nil && code > 128 {
		return fmt.Errorf("%w: it was %s", err, ended(code-128))
	}
	return fmt.Errorf("%w: it was killed", err)
}

// interrupted explains a failure of the runtime if the child has been killed
// meanwhile: the failure may be a consequence, as when the child's cgroup is gone.
func (s *spawned) interrupted(err error) error {
	if errors.Is(err, wire.ErrClosed) || s.reaped {
		return err
	}
	if gone, pollErr := sys.PidfdEnded(s.pidfd); pollErr != nil || !gone {
		return err
	}
	code, waitErr := sys.WaitPeek(s.pid)
	if waitErr != nil || code <= 128 {
		return err
	}
	return fmt.Errorf("the launch process ended early: it was %s; this may be why the following failed: %w", ended(code-128), err)
}
