// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/store"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// measure is what is done to get a container's lock. Each measure includes the ones
// before.
type measure int

const (
	nothing         measure = iota // only wait: most commands end soon
	killContainer                  // kill the container's processes and those that the holder has started, except CRIU: the holder then fails, and undoes its work
	terminateHolder                // send SIGTERM to the holder, once: a checkpoint then has CRIU undo its work
	killHolder                     // send SIGKILL to the holder: delete finds what it leaves behind
	giveUp                         // return an error that names the holder
)

// measureAfter returns the measure to take after waiting for the lock for a time.
func measureAfter(waited time.Duration) measure {
	steps := [...]time.Duration{killContainer: 50 * time.Millisecond, terminateHolder: 2 * time.Second, killHolder: 4 * time.Second, giveUp: 6 * time.Second}
	m := nothing
	for m < giveUp && waited >= steps[m+1] {
		m++
	}
	return m
}

// seize is [Container.take], except that it ends a holder that does not release the
// lock: a hook that never ends, or a stopped first process, may keep the holder
// waiting.
func (c *Container) seize() error {
	s := seizure{Container: c, begun: time.Now(), pause: time.Millisecond}
	return c.takeBy(func() error { return c.entry.LockOr(s.wait) })
}

// seizure is the state of a wait for the lock by [Container.seize].
type seizure struct {
	*Container
	begun  time.Time
	pause  time.Duration
	last   measure
	termed int  // pid of the holder that SIGTERM was sent to
	noted  bool // the caller has been told who holds the lock
}

// wait is called again and again while another process holds the lock of dir.
func (s *seizure) wait(dir *store.Directory) error {
	waited := time.Since(s.begun)
	if waited >= patience && !s.noted {
		s.noted = true
		s.noteHolder()
	}
	if m := measureAfter(waited); m > nothing {
		s.say(m)
		if err := s.apply(m, dir); err != nil || dir.Gone() {
			return err
		}
		if m == giveUp {
			return s.inVain(waited)
		}
	}
	time.Sleep(s.pause)
	s.pause = min(2*s.pause, 20*time.Millisecond)
	return nil
}

// say records a measure that is taken for the first time.
func (s *seizure) say(m measure) {
	if m != s.last {
		s.last = m
		trace.Say("the lock is still held after %v: %s", time.Since(s.begun).Round(time.Millisecond), m)
	}
}

func (m measure) String() string {
	return [...]string{"wait", "kill the container's processes", "send SIGTERM to the holder", "kill the holder", "give up"}[m]
}

// apply carries out a measure.
func (s *seizure) apply(m measure, dir *store.Directory) error {
	if err := s.killProcesses(dir); err != nil {
		return err
	}
	pid, holder, err := s.holder(dir)
	if err != nil || holder == nil {
		return err
	}
	defer holder.Close()
	// The holder's CRIU, which may have to undo its changes of the network, is not
	// killed here: skiff ends it, and it dies with skiff.
	if err := sys.KillGroups(pid, "criu"); err != nil {
		return err
	}
	switch {
	case m == terminateHolder && s.termed != pid:
		s.termed = pid
		err = sys.PidfdSignal(holder, unix.SIGTERM)
	case m == killHolder:
		err = sys.PidfdSignal(holder, unix.SIGKILL)
	}
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// killProcesses kills the container's processes, as far as the record names them by
// now.
func (s *seizure) killProcesses(dir *store.Directory) error {
	err := s.read()
	if errors.Is(err, ErrNotExist) || dir.Gone() {
		return nil
	}
	if err != nil && !errors.Is(err, ErrDamaged) {
		return err
	}
	g, err := s.group()
	if err != nil {
		return err
	}
	if g.Empty() {
		err = s.signalAll(unix.SIGKILL)
	} else {
		err = g.Kill()
	}
	if errors.Is(err, ErrNotRunning) {
		return nil
	}
	return err
}

// holder returns the pid and a pidfd of the skiff that holds the lock. The pidfd is nil
// if no process holds it any more, or none that is visible and a skiff. To be sure that
// the pidfd is the holder's, it asks a second time once the pidfd is open; dir is then
// still the directory that the holder was looked up for.
func (s *seizure) holder(dir *store.Directory) (int, *os.File, error) {
	pid, err := s.entry.Holder()
	if err != nil || pid == 0 || pid == os.Getpid() {
		return 0, nil, ignoreNotExist(err)
	}
	pidfd, err := sys.Pidfd(pid)
	if errors.Is(err, unix.ESRCH) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, err
	}
	again, err := s.entry.Holder()
	if err != nil || again != pid || sys.PidfdInProc(pidfd) != pid || dir.Gone() || !isSkiff(pid) {
		pidfd.Close()
		return 0, nil, ignoreNotExist(err)
	}
	return pid, pidfd, nil
}

// isSkiff reports whether the process runs our program, under any name, or has our
// name, since it may be another version.
func isSkiff(pid int) bool {
	its, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid))
	own, ownErr := os.Stat("/proc/self/exe")
	return err == nil && ownErr == nil && os.SameFile(its, own) || sys.Comm(pid) == sys.Comm(os.Getpid())
}

// ignoreNotExist returns nil for a directory that does not exist any more.
func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// inVain is the error that names the process which still holds the lock.
func (s *seizure) inVain(waited time.Duration) error {
	return fmt.Errorf("waited %v for the lock of %s, which is still held by %s", waited.Round(time.Second), s.entry.Path(), holderName(s.entry))
}
