// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// Remove removes the group's cgroups and those below them, in every hierarchy, once
// their processes have ended; it does not kill them. It is no error if a cgroup does
// not exist.
func (g *Group) Remove(deadline time.Time) error {
	var errs []error
	for i := range g.members {
		if err := g.members[i].remove(deadline); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// RemoveEmpty removes the group's cgroups if they are empty, and reports whether it has
// removed all of them.
func (g *Group) RemoveEmpty() bool {
	for i := range g.members {
		if rmdir(g.members[i].path) != nil {
			return false
		}
	}
	return true
}

func (m *member) remove(deadline time.Time) error {
	// A single rmdir(2) is safe whatever the path: the kernel refuses a root and a
	// cgroup with processes. Only what follows needs the guard.
	err := rmdir(m.path)
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	if err := m.guard(); err != nil {
		return err
	}
	for wait := 50 * time.Microsecond; ; {
		if err := m.removeTree(deadline); !errors.Is(err, unix.EBUSY) {
			return err
		}
		if !backOff(&wait, deadline) {
			return stillThere(m.path)
		}
	}
}

// removeTree removes the cgroup and those below it. On v2 it first waits until no
// process is in them; on v1, which does not report that, it removes those that are
// empty and returns EBUSY if others are left.
func (m *member) removeTree(deadline time.Time) error {
	d, err := openDir(m.path)
	if err != nil {
		return ignoreGone(err)
	}
	defer d.close()
	if m.unified() {
		m := trace.Begin()
		ended, err := d.awaitEvent("populated", "0", deadline)
		m.Done(err, "wait for the end of all processes in", d.path)
		switch {
		case err != nil:
			return ignoreGone(err)
		case !ended:
			return unix.EBUSY
		}
	}
	if err := d.removeBelow(); err != nil {
		return err
	}
	return rmdir(m.path)
}

func rmdir(path string) (err error) {
	if m := trace.Begin(); m.On() {
		defer func() { m.Done(err, "remove", path) }()
	}
	var st unix.Statfs_t
	err = unix.Statfs(path, &st)
	if err == nil && !isCgroup(&st) {
		err = errNotCgroup
	}
	if err == nil {
		err = unix.Rmdir(path)
	}
	if err == nil || gone(err) {
		return nil
	}
	return &os.PathError{Op: "rmdir", Path: path, Err: err}
}

func stillThere(path string) error {
	pids, err := pidsBelow(path)
	if err != nil {
		return err
	}
	return fmt.Errorf("timed out waiting for the processes in %s to exit, still running: %s: %w", path, formatPids(pids), unix.EBUSY)
}

// formatPids formats the first 20 of the pids.
func formatPids(pids []int) string {
	const most = 20
	if len(pids) <= most {
		return fmt.Sprint(pids)
	}
	return fmt.Sprintf("%v and %d more", pids[:most], len(pids)-most)
}
