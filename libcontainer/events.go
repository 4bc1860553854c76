package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
	"unsafe"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// Event is one line of what `events` prints, in runc's form.
type Event struct {
	Type string `json:"type"` // "stats" and "oom", as runc has them, and start, pause, resume, update, exit
	ID   string `json:"id"`
	Data any    `json:"data,omitempty"` // *Stats; *Exit
}

// Exit says how a container's first process has ended: with its exit status,
// or 128 and the number of the signal that ended it.
type Exit struct {
	Status int `json:"exitStatus"`
}

// reapWait is how long the parent of a process may take to reap it.
const reapWait = time.Second

// Events tells of what happens to a container until its first process has
// ended, and of what it uses each interval.
func (c *Container) Events(interval time.Duration, tell func(Event) error) error {
	if err := c.mustRun(); err != nil {
		return err
	}
	s := &stream{container: c, interval: interval, tell: tell}
	defer s.close()
	err := s.open()
	if err == nil {
		err = s.run()
	}
	return err
}

// stream waits for several things at once, in one thread. What has happened it
// finds by a look at the container's state: an event that comes with another
// is not lost.
type stream struct {
	container *Container
	interval  time.Duration
	tell      func(Event) error

	group   *cgroup.Group
	watch   *cgroup.Watch
	init    *os.File // pidfd
	state   int      // inotify of the state directory
	frozen  bool
	started bool
}

func (s *stream) open() (err error) {
	c := s.container
	s.state = -1
	if s.group, err = c.group(); err != nil {
		return err
	}
	if s.init, err = sys.Pidfd(c.record.Pid); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	// Once the pidfd holds the process, it is looked at again: a pid may have
	// been used anew.
	if err == nil {
		err = c.mustRun()
	}
	if err != nil {
		return err
	}
	if s.watch, err = s.group.Watch(); err != nil {
		return err
	}
	if s.state, err = watchDir(c.entry.Path()); err != nil {
		return err
	}
	s.started = !c.entry.Waiting()
	s.frozen, err = s.group.Frozen()
	return err
}

func watchDir(path string) (int, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return -1, fmt.Errorf("inotify_init1: %w", err)
	}
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_MOVED_TO|unix.IN_DELETE|unix.IN_ONLYDIR); err != nil {
		unix.Close(fd)
		return -1, &os.PathError{Op: "inotify_add_watch", Path: path, Err: err}
	}
	return fd, nil
}

func (s *stream) close() {
	if s.init != nil {
		s.init.Close()
	}
	if s.watch != nil {
		s.watch.Close()
	}
	if s.state >= 0 {
		unix.Close(s.state)
	}
}

func (s *stream) run() error {
	next := time.Now().Add(s.interval)
	for {
		exited, err := s.wait(time.Until(next))
		if err == nil {
			err = s.look()
		}
		if err != nil {
			return err
		}
		if exited {
			return s.exit()
		}
		if now := time.Now(); !now.Before(next) {
			if err := s.stats(); err != nil {
				return err
			}
			next = now.Add(s.interval)
		}
	}
}

// wait returns when something may have happened, after the timeout at the
// latest.
func (s *stream) wait(timeout time.Duration) (exited bool, err error) {
	fds := append(s.watch.PollFds(),
		unix.PollFd{Fd: int32(s.state), Events: unix.POLLIN},
		unix.PollFd{Fd: int32(s.init.Fd()), Events: unix.POLLIN})
	ts := unix.NsecToTimespec(max(0, int64(timeout)))
	if _, err := unix.Ppoll(fds, &ts, nil); err != nil && err != unix.EINTR {
		return false, fmt.Errorf("poll: %w", err)
	}
	return fds[len(fds)-1].Revents != 0, nil
}

// look tells of what has changed, in the order in which it most likely has.
func (s *stream) look() error {
	if err := s.lookState(); err != nil {
		return err
	}
	n, err := s.watch.OOMs()
	for ; n > 0 && err == nil; n-- {
		err = s.event("oom")
	}
	if err != nil {
		return err
	}
	frozen, err := s.group.Frozen()
	if err != nil || frozen == s.frozen {
		return err
	}
	s.frozen = frozen
	if frozen {
		return s.event("pause")
	}
	return s.event("resume")
}

// lookState reads what has happened in the state directory. Who changes a
// container may replace more than one file, and holds the lock meanwhile: that
// is one event.
func (s *stream) lookState() error {
	changed := changes(s.state)
	if len(changed) == 0 {
		return nil
	}
	if updates(changed) {
		// The record is not read anew: the container may be another by now.
		if err := s.container.entry.Lock(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		s.container.entry.Unlock()
		changes(s.state) // of the same update
		if err := s.event("update"); err != nil {
			return err
		}
	}
	alive, err := s.container.init()
	if err != nil || !alive || s.started || s.container.entry.Waiting() {
		return err
	}
	s.started = true
	return s.event("start")
}

func updates(changed []change) bool {
	for _, c := range changed {
		if c.mask&unix.IN_MOVED_TO != 0 && (c.name == "config.json" || c.name == "state") {
			return true
		}
	}
	return false
}

type change struct {
	mask uint32
	name string
}

// changes empties an inotify descriptor (inotify(7)).
func changes(fd int) []change {
	var all []change
	b := make([]byte, 4096)
	for {
		n, err := unix.Read(fd, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return all
		}
		for rest := b[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			e := (*unix.InotifyEvent)(unsafe.Pointer(&rest[0]))
			end := unix.SizeofInotifyEvent + int(e.Len)
			name := strings.TrimRight(string(rest[unix.SizeofInotifyEvent:end]), "\x00")
			all = append(all, change{e.Mask, name})
			rest = rest[end:]
		}
	}
}

// stats tells what the container uses. One that ends just now is no error: the
// next look finds it.
func (s *stream) stats() error {
	data, err := s.container.Stats()
	if err != nil {
		if alive, _ := s.container.init(); !alive {
			return nil
		}
		return err
	}
	return s.tell(Event{Type: "stats", ID: s.container.ID(), Data: data})
}

// exit tells of the end, and of the exit status where the kernel has it: once
// whoever is the process's parent has reaped it.
func (s *stream) exit() error {
	e := Event{Type: "exit", ID: s.container.ID()}
	if status, ok := sys.PidfdStatus(s.init, reapWait); ok {
		e.Data = &Exit{status}
	}
	return s.tell(e)
}

func (s *stream) event(kind string) error {
	return s.tell(Event{Type: kind, ID: s.container.ID()})
}
