package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/store"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// measure is what is done to have a container's lock, each on top of those
// before.
type measure int

const (
	leave     measure = iota // most commands are about to end
	kill                     // the container's processes, and what the holder has started: it sees their end, and undoes
	terminate                // SIGTERM for the holder, once: a checkpoint has CRIU undo
	slay                     // SIGKILL for the holder: delete finds what it leaves
	giveUp
)

// measureAfter is the measure for a lock that was waited for so long.
func measureAfter(waited time.Duration) measure {
	steps := [...]time.Duration{kill: 50 * time.Millisecond, terminate: 2 * time.Second, slay: 4 * time.Second, giveUp: 6 * time.Second}
	m := leave
	for m < giveUp && waited >= steps[m+1] {
		m++
	}
	return m
}

// seize takes the container's lock as [Container.take] does, though a hook that
// never ends, or a first process that is stopped, may keep its holder waiting.
func (c *Container) seize() error {
	s := seizure{Container: c, begun: time.Now(), pause: time.Millisecond}
	return c.takeBy(func() error { return c.entry.LockOr(s.wait) })
}

// seizure is a lock that is waited for.
type seizure struct {
	*Container
	begun time.Time
	pause time.Duration
	told  int  // the holder that had its SIGTERM
	noted bool // the caller knows whom we wait for
}

// wait is called as long as somebody else holds the lock of dir.
func (s *seizure) wait(dir *store.Directory) error {
	waited := time.Since(s.begun)
	if waited >= patience && !s.noted {
		s.noted = true
		s.tellHolder()
	}
	if m := measureAfter(waited); m > leave {
		if err := s.take(m, dir); err != nil || dir.Gone() {
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

// take takes a measure.
func (s *seizure) take(m measure, dir *store.Directory) error {
	if err := s.killProcesses(dir); err != nil {
		return err
	}
	pid, holder, err := s.holder(dir)
	if err != nil || holder == nil {
		return err
	}
	defer holder.Close()
	// CRIU, which may have to undo what it did to the network, is skiff's to end,
	// and dies with it.
	if err := sys.KillGroups(pid, "criu"); err != nil {
		return err
	}
	switch {
	case m == terminate && s.told != pid:
		s.told = pid
		err = sys.PidfdSignal(holder, unix.SIGTERM)
	case m == slay:
		err = sys.PidfdSignal(holder, unix.SIGKILL)
	}
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// killProcesses kills what there is of the container by now.
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

// holder finds the skiff that holds the lock; nil if nobody does any more, or
// nobody who can be seen and is a skiff. It is looked for again once the pidfd
// holds it, and dir is then still the directory that it was looked for by.
func (s *seizure) holder(dir *store.Directory) (int, *os.File, error) {
	pid, err := s.entry.Holder()
	if err != nil || pid == 0 || pid == os.Getpid() {
		return 0, nil, missing(err)
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
		return 0, nil, missing(err)
	}
	return pid, pidfd, nil
}

// isSkiff reports whether the process has our program, under whatever name, or
// our name: it may be of another version.
func isSkiff(pid int) bool {
	its, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid))
	own, ownErr := os.Stat("/proc/self/exe")
	return err == nil && ownErr == nil && os.SameFile(its, own) || sys.Comm(pid) == sys.Comm(os.Getpid())
}

// missing passes over a directory that is not there any more.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// inVain says who holds the lock in spite of all.
func (s *seizure) inVain(waited time.Duration) error {
	return fmt.Errorf("waited %v for the lock of %s, which %s holds and does not give back", waited.Round(time.Second), s.entry.Path(), holderName(s.entry))
}
