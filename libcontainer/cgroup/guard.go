// SPDX-License-Identifier: Apache-2.0

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

// guard returns [ErrProtected] if the group has a hierarchy's root, or this process in
// it. The paths were checked when the group was made, but every function that kills
// checks again what is really there: the paths may come from a damaged file, and a
// runtime has killed all processes of a host that way.
func (g *Group) guard() error {
	for i := range g.members {
		if err := g.members[i].guard(); err != nil {
			return err
		}
	}
	return nil
}

// mostSearched is how many cgroups guard searches for processes that must not be
// killed. A container with more must not make it slow; guard then compares the name of
// this process's own cgroup, and searches the rest only if the names are not known.
const mostSearched = 256

func (m *member) guard() error {
	if err := notRoot(m.path); err != nil {
		return err
	}
	d, err := openDir(m.path)
	if err != nil {
		return ignoreGone(err)
	}
	defer d.close()
	whole, err := d.checkSpared(mostSearched)
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
	if whole, err = d.checkSpared(math.MaxInt); err == nil && !whole {
		err = fmt.Errorf("%s: cannot find out whether skiff itself is in this cgroup", m.path)
	}
	return err
}

var errEnough = errors.New("enough was seen")

// checkSpared returns [ErrProtected] if one of the first cgroups of the tree, at most as
// many as most, has a process that must not be killed. It reports whether it searched
// all of them.
func (d dir) checkSpared(most int) (whole bool, err error) {
	err = d.walk(func(at dir) error {
		if most--; most < 0 {
			return errEnough
		}
		pids, err := at.pids()
		if isThreaded(err) && at != d {
			return nil // its processes are listed in a cgroup above
		}
		// 0 is a process of an outer pid namespace, which cannot be the container's.
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

// notRoot returns [ErrProtected] if the directory is the root of a mount, or if the
// kernel cannot tell.
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

// awaitEvent waits until cgroup.events of d has the line "key want". It returns false
// if the deadline passes first.
//
// The kernel wakes pollers, but reports a change that follows another one within 10 ms
// only after that time. So the first timeouts are short.
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

// backOff sleeps for *wait, or until the deadline if that is sooner, and doubles *wait up
// to 20 ms. It returns false if the deadline has passed.
func backOff(wait *time.Duration, deadline time.Time) bool {
	left := time.Until(deadline)
	if left <= 0 {
		return false
	}
	time.Sleep(min(*wait, left))
	*wait = min(2**wait, 20*time.Millisecond)
	return true
}
