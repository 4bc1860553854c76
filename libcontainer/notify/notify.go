// Package notify stands between a container and the service manager that
// waits to hear of its readiness: a socket in the container, from which what
// sd_notify(3) sends is passed on to NOTIFY_SOCKET.
//
// The manager's own socket would not do: it takes messages from the processes
// of the service alone, and the pids in them mean nothing in a container.
package notify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// The directory's place in the container, and the socket in it (as runc has
// them). It is the directory that is mounted, since start makes the socket
// when the container's mounts have been made.
const (
	mountPoint = "/run/notify"
	socketName = "notify.sock"
)

// Env is the variable that tells a process of the socket.
const Env = "NOTIFY_SOCKET"

// patience bounds what the manager may take: runc's time for a barrier.
const patience = 30 * time.Second

// Add puts the directory dir, and the variable, into the plan.
func Add(l *plan.Launch, dir string) {
	l.Rootfs.Mounts = append(l.Rootfs.Mounts, plan.Mount{
		Field: Env, Destination: mountPoint, Type: "bind", Source: dir, Bind: true,
		AttrSet: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC,
	})
	l.Process.SetEnv(Env, mountPoint+"/"+socketName)
}

// MakeDir makes the directory, which the container's user has to get at.
func MakeDir(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755) // whatever the umask
}

// Check reports whether the value of NOTIFY_SOCKET can be used: a path, or an
// abstract name that begins with @.
func Check(socket string) error {
	if len(socket) < 2 || socket[0] != '/' && socket[0] != '@' {
		return fmt.Errorf("%s %q: an absolute path, or a name after @, is expected", Env, socket)
	}
	return nil
}

// Proxy passes on what comes from the container.
type Proxy struct {
	host      int // connected to the manager's socket
	container int // bound in the directory
}

// Listen makes the socket in dir and connects to the manager's.
func Listen(dir, socket string) (_ *Proxy, err error) {
	if err := Check(socket); err != nil {
		return nil, err
	}
	p := &Proxy{host: -1, container: -1}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	if p.host, err = dial(socket); err != nil {
		return nil, fmt.Errorf("%s: %w", Env, err)
	}
	p.container, err = bind(dir)
	return p, err
}

// Close closes both sockets.
func (p *Proxy) Close() {
	for _, fd := range [...]int{p.host, p.container} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

func dial(socket string) (int, error) {
	fd, err := datagram()
	if err != nil {
		return -1, err
	}
	addr := socket
	if len(socket) > 100 && socket[0] == '/' { // longer than an address can be
		dir, err := unix.Open(socket, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			unix.Close(fd)
			return -1, &os.PathError{Op: "open", Path: socket, Err: err}
		}
		defer unix.Close(dir)
		addr = fmt.Sprintf("/proc/self/fd/%d", dir)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: addr}); err != nil {
		unix.Close(fd)
		return -1, &os.PathError{Op: "connect", Path: socket, Err: err}
	}
	return fd, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: int64(patience / time.Second)})
}

func datagram() (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "socket", Path: Env, Err: err}
	}
	return fd, nil
}

// bind makes the container's socket, to which everybody there may send. The
// name of a socket has 107 bytes at most; the directory's may be longer.
func bind(dir string) (int, error) {
	path := filepath.Join(dir, socketName)
	d, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(d)
	fd, err := datagram()
	if err != nil {
		return -1, err
	}
	_ = unix.Unlinkat(d, socketName, 0) // of a start that was killed
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", d, socketName)})
	if err == nil {
		err = unix.Fchmodat(d, socketName, 0o777, 0)
	}
	if err != nil {
		unix.Close(fd)
		return -1, &os.PathError{Op: "bind", Path: path, Err: err}
	}
	return fd, nil
}

// Run passes on messages until the process behind pidfd has ended, or with
// untilReady until it is ready; the manager has then read all of them. main is
// the pid that the manager is told when the container is ready.
func (p *Proxy) Run(pidfd, main int, untilReady bool) error {
	poll := []unix.PollFd{{Fd: int32(p.container), Events: unix.POLLIN}, {Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(poll, -1); err != nil && err != unix.EINTR {
			return &os.PathError{Op: "poll", Path: Env, Err: err}
		}
		if poll[0].Revents == 0 && poll[1].Revents != 0 {
			return nil // and all that it had sent is read
		}
		if poll[0].Revents == 0 {
			continue
		}
		m, err := receive(p.container)
		if err != nil {
			return err
		}
		ready, err := p.pass(m, main)
		if err != nil {
			return err
		}
		if ready && untilReady {
			return p.barrier()
		}
	}
}

// pass passes one message on.
func (p *Proxy) pass(m *message, main int) (ready bool, err error) {
	defer m.close()
	text, ready, barrier := translate(m.text, main)
	if text != "" {
		if err := p.send(text, m.fds); err != nil {
			return ready, err
		}
	}
	if barrier {
		// The sender waits for the end of its descriptor: when the manager has
		// read all that came before, or does not for long.
		_ = p.barrier()
	}
	return ready, nil
}

// translate drops what the container may not say: which process is the
// service's, and who may notify. With READY=1 goes the pid of the service, in
// one message, so that the manager never knows one without the other.
func translate(text string, main int) (out string, ready, barrier bool) {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		name, value, _ := strings.Cut(line, "=")
		switch {
		case line == "", name == "MAINPID", strings.HasPrefix(name, "MAINPIDFD"), name == "NOTIFYACCESS":
			continue
		case name == "BARRIER":
			barrier = barrier || value == "1"
			continue
		case name == "READY" && value == "1":
			ready = true
		}
		lines = append(lines, line)
	}
	if ready {
		lines = append(lines, fmt.Sprintf("MAINPID=%d", main))
	}
	return strings.Join(lines, "\n"), ready, barrier
}

func (p *Proxy) send(text string, fds []int) error {
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	for {
		err := unix.Sendmsg(p.host, []byte(text), oob, nil, unix.MSG_NOSIGNAL)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			err = fmt.Errorf("the manager reads nothing (for %v)", patience)
		}
		if err != nil {
			return fmt.Errorf("%s: send: %w", Env, err)
		}
		return nil
	}
}

// barrier waits until the manager has read all that was sent: it closes the
// descriptor that comes with BARRIER=1 (sd_notify_barrier(3), systemd 246).
func (p *Proxy) barrier() error {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return &os.PathError{Op: "pipe", Path: Env, Err: err}
	}
	defer unix.Close(pipe[0])
	err := p.send("BARRIER=1", pipe[1:])
	unix.Close(pipe[1])
	if err != nil {
		return err
	}
	poll := []unix.PollFd{{Fd: int32(pipe[0])}} // POLLHUP needs no asking
	for end := time.Now().Add(patience); ; {
		n, err := unix.Poll(poll, int(time.Until(end).Milliseconds()))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return &os.PathError{Op: "poll", Path: Env, Err: err}
		case n == 0:
			return errors.New(Env + ": the manager does not answer a barrier (for 30 s)")
		}
		return nil
	}
}
