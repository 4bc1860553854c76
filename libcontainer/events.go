// SPDX-License-Identifier: Apache-2.0

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

// Event is one line of the output of `events`, in runc's form.
type Event struct {
	Type string `json:"type"` // "stats" and "oom", as in runc, and start, pause, resume, update, exit
	ID   string `json:"id"`
	Data any    `json:"data,omitempty"` // *Stats for "stats", *Exit for "exit"
}

// Exit is how a container's first process ended.
type Exit struct {
	Status int `json:"exitStatus"` // exit status, or 128 and the number of the signal that killed it
}

// reapWait is how long to wait until the process is reaped by its parent, before which
// it has no exit status.
const reapWait = time.Second

// Events calls emit for each event of a running container, and once per interval with
// what the container uses. It returns when the first process has ended, or at the first
// error, including one of emit.
func (c *Container) Events(interval time.Duration, emit func(Event) error) error {
	if err := c.mustRun(); err != nil {
		return err
	}
	s := &stream{container: c, interval: interval, emit: emit}
	defer s.close()
	err := s.open()
	if err == nil {
		err = s.run()
	}
	return err
}

// stream waits for several kinds of events at once, in one thread. A wakeup only makes
// it look at the container's state, so that no event is lost if two come together.
type stream struct {
	container *Container
	interval  time.Duration
	emit      func(Event) error

	group   *cgroup.Group
	watch   *cgroup.Watch
	init    *os.File // pidfd
	state   int      // inotify descriptor of the state directory
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
	// Check again once the pidfd is open: the pid may have been reused before.
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

// wait returns when something may have happened, or after the timeout. exited reports
// whether the first process has ended.
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

// look emits an event for everything that has changed, in the most likely order.
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

// lookState handles changes of the state directory. An operation that changes a
// container may replace several files, but holds the lock meanwhile, so all its changes
// count as one event.
func (s *stream) lookState() error {
	changed := changes(s.state)
	if len(changed) == 0 {
		return nil
	}
	if hasUpdate(changed) {
		// The record is not read again: by now it may be that of another container.
		if err := s.container.entry.Lock(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		s.container.entry.Unlock()
		changes(s.state) // discard those of the same update
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

func hasUpdate(changed []change) bool {
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

// changes reads all pending events of an inotify descriptor (inotify(7)).
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

// stats emits what the container uses. It is not an error if the container has just
// ended: the next wait detects that.
func (s *stream) stats() error {
	data, err := s.container.Stats()
	if err != nil {
		if alive, _ := s.container.init(); !alive {
			return nil
		}
		return err
	}
	return s.emit(Event{Type: "stats", ID: s.container.ID(), Data: data})
}

// exit emits the end, with the exit status if the kernel has it: it does once the
// process's parent has reaped it.
func (s *stream) exit() error {
	e := Event{Type: "exit", ID: s.container.ID()}
	if status, ok := sys.PidfdStatus(s.init, reapWait); ok {
		e.Data = &Exit{status}
	}
	return s.emit(e)
}

func (s *stream) event(kind string) error {
	return s.emit(Event{Type: kind, ID: s.container.ID()})
}
