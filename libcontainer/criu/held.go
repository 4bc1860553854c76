package criu

import (
	"errors"
	"os"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// errHeld is of a CRIU that waits for what can only happen when it has ended:
// the first process of a pid namespace is not gone before all others are, and
// these not before CRIU, their tracer, has seen their end. It comes to that when
// a restore fails late, and when a container is killed while its pages are
// served.
var errHeld = errors.New("criu holds processes that have been killed")

const (
	heldCheck = 200 * time.Millisecond
	heldLimit = 3 * time.Second // what CRIU may take from their end to its answer
)

// errInterrupted is of a caller who was told to end.
var errInterrupted = errors.New("interrupted")

// await waits for a message of CRIU.
func (s *session) await(conn *os.File) error {
	poll := []unix.PollFd{{Fd: int32(conn.Fd()), Events: unix.POLLIN}, {Fd: s.interrupt(), Events: unix.POLLIN}}
	var ending time.Time
	for {
		n, err := unix.Poll(poll, int(heldCheck.Milliseconds()))
		switch {
		case n > 0 && poll[1].Revents != 0:
			if err := s.interrupted(); err != nil {
				return err
			}
		case n > 0:
			return nil
		case err != nil && err != unix.EINTR:
			return os.NewSyscallError("poll", err)
		case s.first == 0 || !exiting(s.first):
			ending = time.Time{}
		case ending.IsZero():
			ending = time.Now()
		case time.Since(ending) > heldLimit:
			return errHeld
		}
	}
}

// exiting tells of a process that has begun to end, and is still there.
func exiting(pid int) bool {
	st, err := sys.ReadStat(pid)
	return err == nil && st != nil && st.Exiting
}

func (s *session) interrupt() int32 {
	if s.signals == nil {
		return -1
	}
	return int32(s.signals.Fd())
}

// interrupted takes note of a signal. CRIU has to undo what it has done, the
// rules that hold packets back above all, and does so when it is refused its
// next step. It takes no other step while it serves pages; then, and when a
// signal comes again, it is ended where it is.
func (s *session) interrupted() error {
	if _, err := s.signals.Read(make([]byte, 1)); err != nil {
		return err
	}
	if s.first != 0 || s.stopping {
		return errInterrupted
	}
	s.stopping = true
	return nil
}
