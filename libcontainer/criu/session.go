// Package criu has CRIU (criu.org) dump and restore the processes of a
// container: it runs `criu swrk`, and talks to it in CRIU's own messages.
//
// The messages come from go-criu, of which only package rpc is linked: its
// types are generated without reflection and cost a start of skiff some
// microseconds. The conversation is our own, as go-criu's has no place for a
// descriptor that comes with a notification (the terminal of a restore).
package criu

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// Notice is something that CRIU tells, and waits for an answer.
type Notice struct {
	Script string   // "pre-dump", "network-lock", "setup-namespaces", "post-restore", "orphan-pts-master" ...
	Pid    int      // the first process, as the caller sees it; 0 if there is none yet
	File   *os.File // what came with it; the one who answers closes it
}

// session is one run of CRIU.
type session struct {
	files  []*os.File // what CRIU inherits, from descriptor 3 on
	own    []*os.File // what is closed when it has ended
	said   *os.File   // what CRIU says before it has a log
	thread *thread    // where CRIU is started, and as long as that CRIU lives; nil: anywhere
	cgroup *os.File   // cgroup v2 to start in; may be nil
	rooted bool       // CRIU gets a cgroup namespace with that cgroup for its root
	notify func(Notice) error
	failed error               // of notify: then CRIU's log has no reason
	first  int                 // first process, once CRIU holds all; else 0
	placed func(pid int) error // called before CRIU is asked for anything; may be nil

	signals  *os.File // a byte for each signal that is to end this; nil: it is ended
	stopping bool     // there was one
}

// pass has CRIU inherit f, and tells the number that it has there. f is the
// caller's to close.
func (s *session) pass(f *os.File) *int32 {
	s.files = append(s.files, f)
	return ptr(int32(2 + len(s.files)))
}

// show lets CRIU open f, which it does by our own number for it: directories
// and the status descriptor go this way.
func show(f *os.File) *int32 { return ptr(int32(f.Fd())) }

// showDir opens a directory for CRIU.
func (s *session) showDir(path string) (*int32, error) {
	var f *os.File
	err := s.inside(func() (err error) {
		f, err = os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.own = append(s.own, f)
	return show(f), nil
}

// showWork opens the directory of logs for CRIU.
func (s *session) showWork(o *Options) (*int32, error) {
	err := os.MkdirAll(o.work(), 0o700)
	if err != nil {
		return nil, fmt.Errorf("--work-path: %w", err)
	}
	work, err := s.showDir(o.work())
	if err != nil {
		return nil, fmt.Errorf("--work-path: %w", err)
	}
	return work, nil
}

func (s *session) close() {
	for _, f := range s.own {
		f.Close()
	}
	if s.thread != nil {
		close(s.thread.todo)
	}
}

func ptr[T any](v T) *T { return &v }

// do sends one request and answers CRIU until that is done.
func (s *session) do(req *rpc.CriuReq) (*rpc.CriuResp, error) {
	ours, theirs, err := sys.SocketPair()
	if err != nil {
		return nil, err
	}
	conn := os.NewFile(uintptr(ours), "criu")
	peer := os.NewFile(uintptr(theirs), "criu")
	cmd, err := s.start(peer)
	peer.Close()
	if err != nil {
		conn.Close()
		return nil, err
	}
	resp, err := s.talk(conn, cmd.Process.Pid, req)
	if errors.Is(err, errHeld) || errors.Is(err, errInterrupted) && s.failed == nil {
		_ = cmd.Process.Kill()
	}
	conn.Close() // a CRIU that is still at work gives up
	if waitErr := cmd.Wait(); err == nil && waitErr != nil {
		err = waitErr
	}
	return resp, err
}

// start starts `criu swrk`.
func (s *session) start(peer *os.File) (*exec.Cmd, error) {
	path, err := find()
	if err != nil {
		return nil, err
	}
	if s.thread == nil {
		s.thread = newThread()
	}
	socket := s.pass(peer)
	cmd := exec.Command(path, "swrk", strconv.Itoa(int(*socket)))
	cmd.ExtraFiles = s.files
	said, err := sys.Memfd("criu-stderr")
	if err != nil {
		return nil, err
	}
	s.said = os.NewFile(uintptr(said), "criu-stderr")
	s.own = append(s.own, s.said)
	cmd.Stderr = s.said
	// What is typed at the terminal (^C) is for the container. A CRIU that nobody
	// waits for would hold the processes stopped; if it ends, they go on.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	if s.cgroup != nil {
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(s.cgroup.Fd())
		if s.rooted {
			cmd.SysProcAttr.Unshareflags = unix.CLONE_NEWCGROUP
		}
	}
	if err := s.inside(func() error { return spread(cmd.Start) }); err != nil {
		return nil, fmt.Errorf("start criu: %w", err)
	}
	return cmd, nil
}

// spread calls start, on a thread that has all CPUs: restored processes have
// those of CRIU.
func spread(start func() error) error {
	if err := sys.OwnFiles(); err != nil {
		return err
	}
	if sys.Confined() {
		_ = sys.SchedSetaffinity(0, sys.AllCPUs())
	}
	return sys.WithTimerSlack(start)
}

// thread is what CRIU is a child of: the kernel has it die with this thread,
// and not with the process (prctl(2), PR_SET_PDEATHSIG).
//
// For a restore it has a mount namespace of its own. CRIU wants a root to be a
// mount point: here it is one, and nobody else sees it. Directories that CRIU
// mounts in must be opened here, too.
type thread struct {
	todo chan func() error
	done chan error
}

// mounted gives the session a thread on which root is a mount point.
func (s *session) mounted(root string) error {
	s.thread = newThread()
	return s.inside(func() error { return mountRoot(root) })
}

func newThread() *thread {
	t := &thread{make(chan func() error), make(chan error)}
	go func() {
		runtime.LockOSThread() // and never unlock: the thread goes, with its namespace
		for f := range t.todo {
			t.done <- f()
		}
	}()
	return t
}

// inside runs f where CRIU is started.
func (s *session) inside(f func() error) error {
	if s.thread == nil {
		return f()
	}
	s.thread.todo <- f
	return <-s.thread.done
}

// mountRoot makes path a mount point, which CRIU wants a root to be, in a new
// mount namespace of this thread.
func mountRoot(path string) error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("make mounts slaves: %w", err)
	}
	if err := unix.Mount(path, path, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("root.path: bind %s: %w", path, err)
	}
	return nil
}

// talk is the conversation: a request, notifications, a response.
func (s *session) talk(conn *os.File, pid int, req *rpc.CriuReq) (*rpc.CriuResp, error) {
	if s.placed != nil {
		if err := s.placed(pid); err != nil {
			return nil, err
		}
	}
	for {
		b, err := req.MarshalVT()
		if err != nil {
			return nil, err
		}
		if _, err := conn.Write(b); err != nil {
			return nil, fmt.Errorf("criu: %w", err)
		}
		if err := s.await(conn); err != nil {
			return nil, err
		}
		resp, file, err := receive(conn)
		if err != nil {
			return nil, err
		}
		if resp.GetType() != rpc.CriuReqType_NOTIFY {
			return resp, failure(resp)
		}
		n := resp.GetNotify()
		if s.stopping {
			if file != nil {
				file.Close()
			}
			s.failed = errInterrupted
			return nil, s.failed
		}
		if n.GetScript() == "post-restore" {
			s.first = int(n.GetPid())
		}
		if err := s.tell(Notice{Script: n.GetScript(), Pid: int(n.GetPid()), File: file}); err != nil {
			s.failed = err
			return nil, err
		}
		req = &rpc.CriuReq{Type: ptr(rpc.CriuReqType_NOTIFY), NotifySuccess: ptr(true)}
	}
}

func (s *session) tell(n Notice) error {
	if s.notify != nil {
		return s.notify(n)
	}
	if n.File != nil {
		n.File.Close()
	}
	return nil
}

// receive reads one message, and the descriptor that may be with it.
func receive(conn *os.File) (*rpc.CriuResp, *os.File, error) {
	b, oob := make([]byte, 64<<10), make([]byte, unix.CmsgSpace(4))
	n, oobn := 0, 0
	var err error
	for {
		n, oobn, _, _, err = unix.Recvmsg(int(conn.Fd()), b, oob, unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			break
		}
	}
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("criu: recvmsg: %w", err)
	case n == 0:
		return nil, nil, errors.New("criu has ended without an answer")
	}
	resp := new(rpc.CriuResp)
	if err := resp.UnmarshalVT(b[:n]); err != nil {
		return nil, nil, fmt.Errorf("criu's answer: %w", err)
	}
	return resp, descriptor(oob[:oobn]), nil
}

func descriptor(oob []byte) *os.File {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(messages) == 0 {
		return nil
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) == 0 {
		return nil
	}
	return os.NewFile(uintptr(fds[0]), "/dev/ptmx")
}

func failure(resp *rpc.CriuResp) error {
	if resp.GetSuccess() {
		return nil
	}
	if n := resp.GetCrErrno(); n != 0 {
		return fmt.Errorf("criu failed: %w", unix.Errno(n))
	}
	return errors.New("criu failed")
}
