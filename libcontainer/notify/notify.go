// Package notify stands between a container and the service manager that
// waits to hear of its readiness: a socket in the container, from which what
// sd_notify(3) sends is passed on to NOTIFY_SOCKET.
//
// The manager's own socket would not do: it takes messages from the processes
// of the service alone, and the pids in them mean nothing in a container.
//
// The manager trusts its service; a container is trusted less. It may say how
// it fares (variables.go has the list), and gives no orders: it neither
// loosens what the administrator has set for the unit, nor ends the runtime,
// nor hands over descriptors. The manager sees one sender, skiff, so that any
// NotifyAccess= but none will do: whichever process of the container finds the
// socket speaks for it.
package notify

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

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

// With returns l with a mount of the directory dir, and the variable. The directory
// is the host's: through a read-only mount a process can connect to the socket
// and send, and nothing else.
func With(l *plan.Launch, dir string) *plan.Launch {
	with := *l
	with.Rootfs.Mounts = append(slices.Clip(l.Rootfs.Mounts), plan.Mount{
		Field: Env, Destination: mountPoint, Type: "bind", Source: dir, Bind: true,
		AttrSet: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC,
	})
	with.Process = l.Process.WithEnv(Env, mountPoint+"/"+socketName)
	return &with
}

// MakeDir makes the directory, which the container's user has to get at.
func MakeDir(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755) // whatever the umask
}

// Proxy passes on what comes from the container.
type Proxy struct {
	manager   *Manager
	container int // bound in the directory
}

// Listen makes the container's socket in dir. The proxy takes the manager over.
func (m *Manager) Listen(dir string) (*Proxy, error) {
	fd, err := bind(dir)
	if err != nil {
		return nil, err
	}
	return &Proxy{manager: m, container: fd}, nil
}

// Close closes both sockets.
func (p *Proxy) Close() {
	p.manager.Close()
	unix.Close(p.container)
}

// bind makes the container's socket, to which everybody there may send. The
// name of a socket has 107 bytes at most; the directory's may be longer.
func bind(dir string) (int, error) {
	path := filepath.Join(dir, socketName)
	d, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(d)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, &os.PathError{Op: "socket", Path: path, Err: err}
	}
	_ = unix.Unlinkat(d, socketName, 0) // of a start that was killed
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", d, socketName)})
	if err == nil {
		err = openUp(d)
	}
	if err != nil {
		unix.Close(fd)
		return -1, &os.PathError{Op: "bind", Path: path, Err: err}
	}
	return fd, nil
}

// openUp lets everybody send to the socket in dir. A symlink in its place is
// not followed: where an ordinary user's container may undo that a mount is
// read-only, it might have made one.
func openUp(dir int) error {
	fd, err := unix.Openat(dir, socketName, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return unix.EADDRINUSE
	}
	return unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), 0o777)
}
