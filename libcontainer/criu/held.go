// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"errors"
	"os"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// errDeadlock means that CRIU waits for something that can only happen when CRIU has
// ended. The first process of a pid namespace does not end until all others have been
// reaped, which has to wait until CRIU, their tracer, has seen their end. That happens
// when a restore fails late, and when a container is killed while its pages are served.
var errDeadlock = errors.New("criu did not release processes that were killed")

const (
	exitCheck = 200 * time.Millisecond
	exitLimit = 3 * time.Second // how long CRIU may take to answer after the first process began to exit
)

// errInterrupted means that the caller got a signal that is to end it.
var errInterrupted = errors.New("interrupted")

// await waits for a message from CRIU. It returns early with errDeadlock or
// errInterrupted.
func (s *session) await(conn *os.File) error {
	poll := []unix.PollFd{{Fd: int32(conn.Fd()), Events: unix.POLLIN}, {Fd: s.interrupt(), Events: unix.POLLIN}}
	var ending time.Time
	for {
		n, err := unix.Poll(poll, int(exitCheck.Milliseconds()))
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
		case time.Since(ending) > exitLimit:
			return errDeadlock
		}
	}
}

// exiting reports whether a process has begun to exit and still exists.
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

// interrupted handles a signal. CRIU must undo what it has done, above all the rules
// that block packets, and does so when its next notification is not acknowledged;
// stopping makes talk do that. While CRIU serves pages there is no next notification:
// then, and at a second signal, errInterrupted has it killed at once.
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
