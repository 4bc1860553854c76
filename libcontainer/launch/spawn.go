package launch

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/child"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"github.com/skiff-oci/skiff/libcontainer/sys"
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
	reaped   bool // it has ended, with the status code, and no other has been forked
	code     int
}

// open binds the request, and opens what the child inherits. Where that is
// refused to the runtime, what the child is able to open is left to it.
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
			r.Debug.say("runtime: the rootfs is on an unbindable mount: the child opens it")
			try.rootByChild = true
		case b.inside && !b.byChild && errors.Is(err, unix.EPERM): // root in a user namespace, but not over this mount namespace
			r.Debug.say("runtime: it may not clone mounts here: the child does")
			try.byChild = true
		default:
			return b, files, err
		}
		try.Warn = func(string, ...any) {} // it has been said
	}
}

// errNoChild is what a build without the tag cparts has for an answer.
var errNoChild = errors.New("this skiff was built without the program that becomes the container's process: build it with make")

// spawn starts the interpreter on the program. It closes the files that are not the caller's.
func (b *binding) spawn(files []*os.File) (*spawned, error) {
	defer b.closeAll(files)
	if len(child.Binary) == 0 {
		return nil, errNoChild
	}
	if err := sys.OwnFiles(); err != nil {
		return nil, err
	}
	b.prog.TimerSlack, b.prog.Traces = sys.TimerSlack(), b.Debug != nil
	text, err := b.prog.Encode()
	if err != nil {
		return nil, err
	}
	// The Go runtime shuffles descriptors in the child before it executes a
	// path that names one (golang.org/issue/61751): those that it passes on go
	// to the first numbers, and on the way perhaps to ones above the highest of
	// them. So it is between: the program, which is passed on, is above.
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
	s := &spawned{conn: wire.NewConn(ours)}
	if err := tune.Near(&b.Launch.Process, func() error { return b.clone(s, exe, fds) }); err != nil {
		s.conn.Close()
		return nil, err
	}
	b.Debug.say("runtime: child %d has a program of %d operations, %d bytes, and %d descriptors", s.pid, len(b.prog.Ops), len(text), len(fds))
	return s, nil
}

// clone clones the child into its cgroup. A cgroup that manages others takes
// no process (EBUSY): an exec then goes where the container's init is, unless
// it was told where to go.
func (b *binding) clone(s *spawned, exe int, fds []uintptr) error {
	err := b.cloneInto(s, b.Cgroup, exe, fds)
	if !errors.Is(err, unix.EBUSY) || b.Init == nil {
		return err
	}
	near, err := b.nearInit(err)
	if err != nil {
		return err
	}
	b.Cgroup = near
	return b.cloneInto(s, near, exe, fds)
}

// nearInit is where an exec goes that the container's cgroup does not take.
func (b *binding) nearInit(busy error) (*cgroup.Group, error) {
	if len(b.Launch.Cgroup.Sub) > 0 {
		return nil, fmt.Errorf("--cgroup: %w (controllers are enabled in this cgroup's cgroup.subtree_control, so it takes no process)", busy)
	}
	near, err := b.Cgroup.Of(b.InitPid)
	if err != nil {
		return nil, fmt.Errorf("the container's cgroup takes no process: %w; nor does its first process's: %w", busy, err)
	}
	return near, nil
}

func (b *binding) cloneInto(s *spawned, g *cgroup.Group, exe int, fds []uintptr) error {
	pidfd := -1
	attr := &syscall.SysProcAttr{Cloneflags: uintptr(b.cloned), PidFD: &pidfd}
	if g != nil && !b.Waits.Entered && !b.late {
		dir, err := g.Open()
		if errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("the container's cgroup does not exist any more: %w", err)
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

func startHint(err error, flags uint64, inCgroup bool) error {
	if inCgroup { // by clone3(2) then
		if explained := sys.Explain("clone3", err); explained != err {
			return fmt.Errorf("clone: %w", explained)
		}
	}
	switch {
	case errors.Is(err, unix.EPERM) && flags != 0:
		return fmt.Errorf("clone: %w (CAP_SYS_ADMIN is needed to make namespaces)", err)
	case errors.Is(err, unix.ENOSPC) && flags != 0:
		return fmt.Errorf("clone: %w%s", err, program.NamespaceLimits(flags))
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("clone: %w (this user may not move a process from where skiff is to the container's cgroup)", err)
	}
	return err
}

// next waits for the child's next message, which is to be of type t. The end of a
// child that forks is waited for before the message of that is read: what it has
// forked has the socket, too, so one that is killed in between would be waited
// for without end. The forked process ends with the conversation then.
func (s *spawned) next(t wire.Type) (m wire.Message, err error) {
	if t != wire.Forked {
		return s.conn.Receive()
	}
	if !s.reaped {
		if s.code, err = sys.Wait(s.pid); err != nil {
			return m, err
		}
		s.reaped = true
	}
	return s.conn.Left()
}

// forked takes note that the child has forked the process that goes on.
func (s *spawned) forked(pid int) error {
	if pid <= 0 {
		return fmt.Errorf("handshake: forked: pid %d", pid)
	}
	pidfd, err := sys.Pidfd(pid)
	if err != nil {
		return err
	}
	s.pidfd.Close()
	s.pid, s.pidfd, s.reaped = pid, pidfd, false
	return nil
}

// kill ends the child, whatever it is doing, and reaps it.
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

// died explains a conversation that ended without a message.
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

// interrupted explains the failure of what was done for the child, where the
// child has been killed meanwhile: its cgroup, for one, may have gone with it.
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
	return fmt.Errorf("the launch process ended early: it was %s; so this failed: %w", ended(code-128), err)
}
