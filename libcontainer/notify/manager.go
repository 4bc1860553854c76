// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// Manager is the connection to the service manager's NOTIFY_SOCKET.
type Manager struct {
	address
	fd int // connected socket; -1 for AF_VSOCK, where each message has its own connection
}

// Dial connects to the manager's socket. It fails if the name is invalid, or if nothing
// listens at an AF_UNIX name. An AF_VSOCK address is only used when a message is sent.
func Dial(socket string) (*Manager, error) {
	a, err := parseAddress(socket)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", Env, socket, err)
	}
	m := &Manager{address: a, fd: -1}
	if a.path == "" {
		return m, nil
	}
	if err := m.connect(); err != nil {
		return nil, fmt.Errorf("%s: %w", Env, err)
	}
	return m, nil
}

// Close closes the connection.
func (m *Manager) Close() {
	if m.fd >= 0 {
		unix.Close(m.fd)
		m.fd = -1
	}
}

// takesFDs reports whether the manager can receive descriptors.
func (m *Manager) takesFDs() bool { return m.path != "" }

// send sends one message, with a descriptor unless fd is negative. It does not block on
// AF_UNIX: the error is unix.EAGAIN if the manager has not read enough of the earlier
// messages.
func (m *Manager) send(text string, fd int) error {
	if m.path == "" {
		return m.sendVsock(text)
	}
	err := m.sendUnix(text, fd)
	if !errors.Is(err, unix.ECONNREFUSED) {
		return err
	}
	m.Close() // a new manager may have bound the name by now
	if m.connect() != nil {
		return err
	}
	return m.sendUnix(text, fd)
}

func (m *Manager) connect() (err error) {
	m.fd, err = sys.ConnectUnix(m.path, unix.SOCK_DGRAM)
	return err
}

func (m *Manager) sendUnix(text string, fd int) error {
	if m.fd < 0 {
		return unix.ECONNREFUSED
	}
	var oob []byte
	if fd >= 0 {
		oob = unix.UnixRights(fd)
	}
	return retry(func() error {
		return unix.Sendmsg(m.fd, []byte(text), oob, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	})
}

// vsockPatience limits the time to connect, and to send, to another machine.
const vsockPatience = 500 * time.Millisecond

// sendVsock sends with the first type of socket that works.
func (m *Manager) sendVsock(text string) (err error) {
	for _, t := range m.types {
		if err = sendOver(t, &unix.SockaddrVM{CID: m.cid, Port: m.port}, text); err == nil {
			break
		}
	}
	return err
}

func sendOver(kind int, to unix.Sockaddr, text string) error {
	fd, err := unix.Socket(unix.AF_VSOCK, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	limit := unix.NsecToTimeval(int64(vsockPatience))
	_ = unix.SetsockoptTimeval(fd, unix.AF_VSOCK, unix.SO_VM_SOCKETS_CONNECT_TIMEOUT, &limit)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit)
	if err := unix.Connect(fd, to); err != nil {
		return os.NewSyscallError("connect", err)
	}
	for b := []byte(text); len(b) > 0; {
		n, err := unix.SendmsgN(fd, b, nil, nil, unix.MSG_NOSIGNAL)
		if err != nil {
			return os.NewSyscallError("send", err)
		}
		b = b[n:]
	}
	return nil
}

func retry(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
