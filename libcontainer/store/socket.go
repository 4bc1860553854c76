// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"os"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// Listen makes the socket at which the first process waits for start.
func (e *Entry) Listen() (*os.File, error) {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "socket", Path: e.socket(), Err: err}
	}
	// A socket's path has at most 107 bytes; the path through the lock's
	// descriptor is short enough.
	addr := fmt.Sprintf("/proc/self/fd/%d/%s", e.lock, socketFile)
	if err := unix.Bind(s, &unix.SockaddrUnix{Name: addr}); err != nil {
		unix.Close(s)
		return nil, &os.PathError{Op: "bind", Path: e.socket(), Err: err}
	}
	if err := unix.Listen(s, 1); err != nil {
		unix.Close(s)
		return nil, &os.PathError{Op: "listen", Path: e.socket(), Err: err}
	}
	return os.NewFile(uintptr(s), e.socket()), nil
}

func (e *Entry) socket() string { return e.path + "/" + socketFile }

// Waiting reports whether the socket exists, that is, start has not been called.
func (e *Entry) Waiting() bool { return e.dir().Has(socketFile) }

// Waited reports whether a process has the socket open, as the first process does until
// it runs the user's program.
func (e *Entry) Waited() bool {
	if e.reader != nil {
		return e.reader.asker.Listened(e.socket())
	}
	var a sys.Asker
	defer a.Close()
	return a.Listened(e.socket())
}

// Awaits reports whether the first process waits for start: [Entry.Waiting] and
// [Entry.Waited].
func (e *Entry) Awaits() bool {
	// Once there is a socket to ask with, the question costs no more than the look.
	return (e.reader != nil && e.reader.asker.Asked() || e.Waiting()) && e.Waited()
}

// Connect connects to the waiting process. It removes the socket's name as soon as it is
// connected, or nobody waits: a container is started only once.
func (e *Entry) Connect() (int, error) {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "socket", Path: e.socket(), Err: err}
	}
	addr := fmt.Sprintf("/proc/self/fd/%d/%s", e.lock, socketFile)
	if m := trace.Begin(); m.On() {
		defer func() { m.Done(err, "connect to", e.socket()) }()
	}
	for {
		err = unix.Connect(s, &unix.SockaddrUnix{Name: addr})
		if err != unix.EINTR {
			break
		}
	}
	if err == nil || err == unix.ECONNREFUSED {
		_ = e.dir().Unlink(socketFile)
	}
	if err != nil {
		unix.Close(s)
		return -1, &os.PathError{Op: "connect", Path: e.socket(), Err: err}
	}
	return s, nil
}
