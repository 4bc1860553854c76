// SPDX-License-Identifier: Apache-2.0

// Package criu has CRIU (criu.org) dump and restore the processes of a container: it
// runs `criu swrk` and exchanges messages of CRIU's RPC protocol with it.
//
// Only package rpc of go-criu is linked. Its types are generated without reflection,
// and cost a start of skiff a few microseconds. The exchange of messages is implemented
// here, because go-criu cannot pass on a descriptor that comes with a notification (the
// terminal of a restore).
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
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// Notice is a notification of CRIU, which waits for an acknowledgement.
type Notice struct {
	Script string   // "pre-dump", "network-lock", "setup-namespaces", "post-restore", "orphan-pts-master" ...
	Pid    int      // the first process, in the caller's pid namespace; 0 if there is none yet
	File   *os.File // descriptor that came with it, which the handler closes; may be nil
}

// session is one run of CRIU.
type session struct {
	files  []*os.File // files that CRIU inherits, from descriptor 3 on
	opened []*os.File // files to close at the end
	stderr *os.File   // memory file with CRIU's standard error, which has its messages before the log is open
	thread *thread    // thread that starts CRIU, which dies with it; nil until there is one
	cgroup *os.File   // cgroup v2 directory to start CRIU in; may be nil
	rooted bool       // CRIU gets a cgroup namespace with that cgroup as its root
	notify func(Notice) error
	failed error               // error of our own that ended the run: CRIU's log does not explain it
	first  int                 // pid of the first process, once CRIU can deadlock with it (errDeadlock); 0 before
	placed func(pid int) error // called with CRIU's pid before the first request; may be nil

	signals  *os.File // the pipe of DumpOptions.Catch; nil if signals are not caught
	stopping bool     // there was a signal
}

// pass has CRIU inherit f, and returns its descriptor number there. The caller closes
// f.
func (s *session) pass(f *os.File) *int32 {
	s.files = append(s.files, f)
	return ptr(int32(2 + len(s.files)))
}

// show returns our own descriptor number of f, for options by which CRIU opens a file
// of ours through /proc: directories and the status descriptor.
func show(f *os.File) *int32 { return ptr(int32(f.Fd())) }

// showDir opens a directory for CRIU, on the session's thread.
func (s *session) showDir(path string) (*int32, error) {
	var f *os.File
	err := s.onThread(func() (err error) {
		f, err = os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.opened = append(s.opened, f)
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
	for _, f := range s.opened {
		f.Close()
	}
	if s.thread != nil {
		close(s.thread.todo)
	}
}

func ptr[T any](v T) *T { return &v }

// do starts CRIU, sends one request, and handles notifications until CRIU has answered
// it.
func (s *session) do(req *rpc.CriuReq) (_ *rpc.CriuResp, err error) {
	if m := trace.Begin(); m.On() {
		defer func() { m.Done(err, "run criu:", req.GetType().String()) }()
	}
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
	if errors.Is(err, errDeadlock) || errors.Is(err, errInterrupted) && s.failed == nil {
		_ = cmd.Process.Kill()
	}
	conn.Close() // a CRIU that is still working gives up then
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
	stderr, err := sys.Memfd("criu-stderr")
	if err != nil {
		return nil, err
	}
	s.stderr = os.NewFile(uintptr(stderr), "criu-stderr")
	s.opened = append(s.opened, s.stderr)
	cmd.Stderr = s.stderr
	// In a process group of its own, CRIU does not get the signals of the terminal
	// (^C), which are for the container. If skiff dies, CRIU must not keep the
	// processes stopped: when it is killed they continue.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	if s.cgroup != nil {
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(s.cgroup.Fd())
		if s.rooted {
			cmd.SysProcAttr.Unshareflags = unix.CLONE_NEWCGROUP
		}
	}
	if err := s.onThread(func() error { return startUnconfined(cmd.Start) }); err != nil {
		return nil, fmt.Errorf("start criu: %w", err)
	}
	return cmd, nil
}

// startUnconfined calls start on a thread that may use all CPUs, since restored
// processes inherit the CPU affinity of CRIU.
func startUnconfined(start func() error) error {
	if err := sys.OwnFiles(); err != nil {
		return err
	}
	if sys.Confined() {
		_ = sys.SchedSetaffinity(0, sys.AllCPUs())
	}
	return sys.WithTimerSlack(start)
}

// thread is the OS thread that starts CRIU and stays for CRIU's lifetime: CRIU's
// parent-death signal is sent when this thread ends, not when the process does
// (prctl(2), PR_SET_PDEATHSIG).
//
// For a restore it has a mount namespace of its own. CRIU requires that a root is a
// mount point: in this namespace it is one, which nothing else sees. Directories in
// which CRIU mounts must be opened on this thread, too.
type thread struct {
	todo chan func() error
	done chan error
}

// mountOnThread gives the session a thread in whose mount namespace root is a mount
// point.
func (s *session) mountOnThread(root string) error {
	s.thread = newThread()
	return s.onThread(func() error { return mountRoot(root) })
}

func newThread() *thread {
	t := &thread{make(chan func() error), make(chan error)}
	go func() {
		runtime.LockOSThread() // never unlocked, so that the thread ends with the goroutine, and its namespace with it
		for f := range t.todo {
			t.done <- f()
		}
	}()
	return t
}

// onThread runs f on the session's thread, or on any if it has none yet.
func (s *session) onThread(f func() error) error {
	if s.thread == nil {
		return f()
	}
	s.thread.todo <- f
	return <-s.thread.done
}

// mountRoot makes path a mount point in a new mount namespace of the calling thread.
func mountRoot(path string) error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("set the mount propagation to slave: %w", err)
	}
	if err := unix.Mount(path, path, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("root.path: bind %s: %w", path, err)
	}
	return nil
}

// talk sends a request, handles the notifications, and returns the response.
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
		if err := s.handle(Notice{Script: n.GetScript(), Pid: int(n.GetPid()), File: file}); err != nil {
			s.failed = err
			return nil, err
		}
		req = &rpc.CriuReq{Type: ptr(rpc.CriuReqType_NOTIFY), NotifySuccess: ptr(true)}
	}
}

func (s *session) handle(n Notice) error {
	if s.notify != nil {
		return trace.Timed("answer criu:", n.Script, func() error { return s.notify(n) })
	}
	if n.File != nil {
		n.File.Close()
	}
	return nil
}

// receive reads one message, and the descriptor that may come with it.
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
		return nil, nil, errors.New("criu ended without a response")
	}
	resp := new(rpc.CriuResp)
	if err := resp.UnmarshalVT(b[:n]); err != nil {
		return nil, nil, fmt.Errorf("criu's response: %w", err)
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
