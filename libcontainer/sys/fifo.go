// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// openToWrite opens a file at a path of the caller's choice for writing. If it is a FIFO,
// it waits up to [peerWait] for a reader.
func openToWrite(path string, flags int, mode uint32) (int, error) {
	flags |= unix.O_WRONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Open(path, flags, mode)
	if !errors.Is(err, unix.ENXIO) || !isFIFO(path) {
		return fd, err
	}
	for end := time.Now().Add(peerWait); errors.Is(err, unix.ENXIO) && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
		fd, err = unix.Open(path, flags, mode)
	}
	if errors.Is(err, unix.ENXIO) {
		err = unread(unix.EAGAIN)
	}
	return fd, err
}

func isFIFO(path string) bool {
	var st unix.Stat_t
	return unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO
}

// ReadStream reads at most limit bytes of a file at a path of the caller's choice. If it
// is a FIFO, ReadStream waits up to [peerWait] for a writer to open it; how long the text
// takes after that is up to the caller, as with standard input.
func ReadStream(path string, limit int64) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, wrap("open", path, err)
	}
	defer unix.Close(fd)
	b, err := io.ReadAll(io.LimitReader(&stream{fd: fd, begun: !isFIFO(path), end: time.Now().Add(peerWait)}, limit))
	return b, wrap("read", path, err)
}

// stream is a file that is read to its end. A FIFO that no writer has opened yet looks as
// if it were at its end.
type stream struct {
	fd    int
	begun bool
	end   time.Time // of the wait for a writer
}

func (s *stream) Read(b []byte) (int, error) {
	for {
		n, err := read(s.fd, b)
		switch {
		case errors.Is(err, unix.EAGAIN):
			s.begun = true
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}, -1)
		case err != nil:
			return 0, err
		case n > 0:
			s.begun = true
			return n, nil
		case s.begun:
			return 0, io.EOF
		case time.Now().After(s.end):
			return 0, errors.New("no process has opened the other end for writing")
		default:
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// Appender is a file opened by [Append] or [Create]. It gets text of the runtime's own, which is not
// worth waiting for a FIFO's reader without limit.
type Appender struct {
	fd   int
	path string
}

// Close closes the file.
func (a *Appender) Close() error { return wrap("close", a.path, unix.Close(a.fd)) }

// Write appends all of b. It fails if a FIFO's reader does not read it within [peerWait].
func (a *Appender) Write(b []byte) (int, error) {
	for n, end := 0, time.Now().Add(peerWait); ; {
		m, err := unix.Write(a.fd, b[n:])
		n += max(m, 0)
		switch left := time.Until(end); {
		case err == unix.EAGAIN && left > 0:
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(a.fd), Events: unix.POLLOUT}}, int(left.Milliseconds())+1)
		case err != nil && err != unix.EINTR:
			return n, wrap("write", a.path, unread(err))
		case n == len(b):
			return n, nil
		}
	}
}
