package cgroup

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// guard refuses, with [ErrProtected], a group with a hierarchy's root or with
// this very process in it. The paths were checked when the group was made; but
// what kills looks again, at what is really there, since paths come from a
// file that may be damaged, and one runtime once killed a whole host.
func (g *Group) guard() error {
	for i := range g.members {
		if err := g.members[i].guard(); err != nil {
			return err
		}
	}
	return nil
}

// lookedThrough is how many cgroups are looked through for what must not be
// killed. A container that has more must not gain time by them; where this
// process is, its own path tells as well.
const lookedThrough = 256

func (m *member) guard() error {
	if err := notRoot(m.path); err != nil {
		return err
	}
	d, err := openDir(m.path)
	if err != nil {
		return notGone(err)
	}
	defer d.close()
	whole, err := d.spares(lookedThrough)
	if whole || err != nil {
		return err
	}
	holds, known := m.holdsCaller(d)
	switch {
	case holds:
		return fmt.Errorf("%s: %w", m.path, ErrProtected)
	case known:
		return nil
	}
	if whole, err = d.spares(math.MaxInt); err == nil && !whole {
		err = fmt.Errorf("%s: cannot be looked through for this process itself", m.path)
	}
	return err
}

var errEnough = errors.New("enough was seen")

// spares refuses, with [ErrProtected], a tree with a process that must not be
// killed in one of its first cgroups. It tells whether it has seen the whole.
func (d dir) spares(most int) (whole bool, err error) {
	err = d.walk(func(at dir) error {
		if most--; most < 0 {
			return errEnough
		}
		pids, err := at.pids()
		if isThreaded(err) && at != d {
			return nil // its processes are listed above
		}
		// 0 is a process of an outer pid namespace: none of ours.
		if slices.Contains(pids, os.Getpid()) || slices.Contains(pids, 0) {
			return fmt.Errorf("%s: %w", d.path, ErrProtected)
		}
		return err
	})
	if errors.Is(err, ErrProtected) {
		return false, err
	}
	return err == nil, nil
}

// notRoot refuses a directory that is the root of a mount.
func notRoot(path string) error {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, 0, &st)
	switch {
	case gone(err):
		return nil
	case err != nil:
		return &os.PathError{Op: "statx", Path: path, Err: err}
	case st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT == 0 || st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0:
		return fmt.Errorf("%s: %w", path, ErrProtected)
	}
	return nil
}

// awaitEvent waits until cgroup.events of d has the line "key want". It gives
// false when the deadline passes first.
//
// The kernel wakes pollers, but for a change within 10 ms of the last one it
// does so only after those; hence the short time-outs at first.
func (d dir) awaitEvent(key, want string, deadline time.Time) (bool, error) {
	fd, err := d.open("cgroup.events", unix.O_RDONLY)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	for wait := 250 * time.Microsecond; ; wait = min(2*wait, 20*time.Millisecond) {
		if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
			return false, &os.PathError{Op: "seek", Path: d.path + "/cgroup.events", Err: err}
		}
		text, err := readAll(fd)
		if err != nil {
			return false, &os.PathError{Op: "read", Path: d.path + "/cgroup.events", Err: err}
		}
		if keyed(text, key) == want {
			return true, nil
		}
		left := time.Until(deadline)
		if left <= 0 {
			return false, nil
		}
		ts := unix.NsecToTimespec(int64(min(wait, left)))
		_, err = unix.Ppoll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}, &ts, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return false, fmt.Errorf("poll %s/cgroup.events: %w", d.path, err)
		}
	}
}

// pause sleeps a little longer each time it is called with the same wait.
func pause(wait *time.Duration, deadline time.Time) bool {
	left := time.Until(deadline)
	if left <= 0 {
		return false
	}
	time.Sleep(min(*wait, left))
	*wait = min(2**wait, 20*time.Millisecond)
	return true
}
