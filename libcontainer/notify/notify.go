// SPDX-License-Identifier: Apache-2.0

// Package notify relays the sd_notify(3) messages of a container to the service
// manager: the container gets a socket of its own, and what is sent there is passed on
// to NOTIFY_SOCKET of the caller.
//
// The container cannot use the manager's socket directly: the manager accepts messages
// only from the processes of the service, and the pids in them would be those of the
// container's pid namespace.
//
// The manager trusts its service; a container is trusted less. It may report its state
// (variables.go has the list), but cannot give orders: it can neither loosen what the
// administrator has set for the unit, nor end the runtime, nor pass descriptors. For
// the manager skiff is the only sender, so that any NotifyAccess= except none works.
// Every process of the container that can reach the socket may send.
package notify

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// Where the directory is mounted in the container, and the socket's name in it (as in
// runc). The directory is mounted, not the socket, since start makes the socket after
// the container's mounts were made.
const (
	mountPoint = "/run/notify"
	socketName = "notify.sock"
)

// Env is the environment variable with the socket's path.
const Env = "NOTIFY_SOCKET"

// With returns l with the mount of dir, a directory of the host, and the variable. The
// mount is read-only: through it a process can connect to the socket and send, but
// nothing else.
func With(l *plan.Launch, dir string) *plan.Launch {
	with := *l
	with.Rootfs.Mounts = append(slices.Clip(l.Rootfs.Mounts), plan.Mount{
		Field: Env, Destination: mountPoint, Type: "bind", Source: dir, Bind: true,
		AttrSet: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC,
	})
	with.Process = l.Process.WithEnv(Env, mountPoint+"/"+socketName)
	return &with
}

// MakeDir makes the directory, and lets the container's user search it.
func MakeDir(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755) // regardless of the umask
}

// Proxy relays messages from a container to a manager.
type Proxy struct {
	manager   *Manager
	container int // socket that is bound in the directory
}

// Listen makes the container's socket in dir. The proxy takes ownership of the manager.
func (m *Manager) Listen(dir string) (*Proxy, error) {
	fd, err := bind(dir)
	if err != nil {
		return nil, err
	}
	return &Proxy{manager: m, container: fd}, nil
}

// Close closes the container's socket and the connection to the manager.
func (p *Proxy) Close() {
	p.manager.Close()
	unix.Close(p.container)
}

// bind makes the container's socket, to which every user may send. It binds through
// /proc/self/fd, because the address of a socket has at most 107 bytes and the
// directory's path may be longer.
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
	_ = unix.Unlinkat(d, socketName, 0) // left by a start that was killed
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

// openUp lets every user send to the socket in dir. It does not follow a symlink in
// place of the socket: a container of an ordinary user that can make its mount writable
// might have put one there.
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
