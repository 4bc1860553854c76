package cgroup

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Remove removes the group's cgroups and those below them, in every hierarchy,
// once their processes have ended; it kills none. One that does not exist is
// fine.
func (g *Group) Remove(deadline time.Time) error {
	var errs []error
	for i := range g.members {
		if err := g.members[i].remove(deadline); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// RemoveEmpty removes the group's cgroups if each of them is empty, and tells
// whether it did. If not, some may be gone.
func (g *Group) RemoveEmpty() bool {
	for i := range g.members {
		if rmdir(g.members[i].path) != nil {
			return false
		}
	}
	return true
}

func (m *member) remove(deadline time.Time) error {
	// A single rmdir(2) cannot hurt, whatever the path: a root and a cgroup
	// with processes refuse it. Only what comes after looks below.
	err := rmdir(m.path)
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	if err := guard(m.path); err != nil {
		return err
	}
	return m.removeAll(m.path, deadline)
}

func rmdir(path string) error {
	var st unix.Statfs_t
	err := unix.Statfs(path, &st)
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

// removeAll removes the cgroups below path and then path, waiting for the
// processes of each to end.
func (m *member) removeAll(path string, deadline time.Time) error {
	for wait := 50 * time.Microsecond; ; {
		if err := m.removeBelow(path, deadline); err != nil {
			return err
		}
		err := rmdir(path)
		if errors.Is(err, unix.EBUSY) && m.unified() {
			if err = awaitEnd(path, deadline); err == nil {
				err = rmdir(path)
			}
		}
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		if !pause(&wait, deadline) {
			return stillThere(path)
		}
	}
}

func stillThere(path string) error {
	pids, err := pidsBelow(path)
	if err != nil {
		return err
	}
	return fmt.Errorf("waited until the deadline for the processes of %s to end; still there: %v: %w", path, pids, unix.EBUSY)
}

func (m *member) removeBelow(path string, deadline time.Time) error {
	d, err := openDir(path)
	if err != nil {
		if gone(err) {
			return nil
		}
		return err
	}
	defer d.close()
	subs, err := d.subdirs()
	if err != nil {
		return err
	}
	for _, name := range subs {
		if err := m.removeAll(path+"/"+name, deadline); err != nil {
			return err
		}
	}
	return nil
}

// awaitEnd waits for the processes at path and below to end.
func awaitEnd(path string, deadline time.Time) error {
	d, err := openDir(path)
	if err != nil {
		if gone(err) {
			return nil
		}
		return err
	}
	defer d.close()
	ended, err := d.awaitEvent("populated", "0", deadline)
	switch {
	case gone(err):
		return nil
	case err != nil:
		return err
	case !ended:
		return unix.EBUSY
	}
	return nil
}
