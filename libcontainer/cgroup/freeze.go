// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"path"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/trace"
)

// Freeze freezes all processes of the group, and returns when they are stopped. If that
// takes until the deadline, it thaws the group again and returns an error.
func (g *Group) Freeze(deadline time.Time) error {
	if g.Empty() {
		return ErrNone
	}
	if err := g.guard(); err != nil {
		return err
	}
	err := g.setFrozen(true, deadline)
	if err != nil {
		if thaw := g.setFrozen(false, time.Now().Add(time.Second)); thaw != nil {
			return fmt.Errorf("%w; thawing it again also failed: %w", err, thaw)
		}
	}
	return err
}

// Thaw thaws all processes of the group, and returns when they can run.
func (g *Group) Thaw(deadline time.Time) error { return g.setFrozen(false, deadline) }

func (g *Group) setFrozen(on bool, deadline time.Time) error {
	switch unified, legacy := g.unified(), g.legacy("freezer"); {
	case unified != nil:
		// v2's freezer needs no controller, and frozen processes can be killed.
		return unified.freezeV2(on, deadline)
	case legacy != nil:
		return legacy.freezeV1(on, deadline)
	}
	return fault.New(fault.NoCgroup, "the host has neither cgroup v2 nor the freezer controller of cgroup v1")
}

func (m *member) freezeV2(on bool, deadline time.Time) error {
	want := "0"
	if on {
		want = "1"
	}
	d, err := openDir(m.path)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.write("cgroup.freeze", want); err != nil {
		return err
	}
	w := trace.Begin()
	ok, err := d.awaitEvent("frozen", want, deadline)
	w.Done(err, "wait for the freezer of", m.path)
	if err == nil && !ok {
		err = fmt.Errorf("timed out waiting for \"frozen %s\" in %s/cgroup.events", want, m.path)
	}
	return err
}

// freezeV1 writes the state until the cgroup has reached it. A process that is being
// forked, or one in an uninterruptible sleep, leaves the cgroup FREEZING, and only a
// read of the state makes the kernel check again. Every 25 rounds it thaws the cgroup
// for a moment, for processes that wait for a frozen one.
func (m *member) freezeV1(on bool, deadline time.Time) error {
	want := "THAWED"
	if on {
		want = "FROZEN"
	}
	d, err := openDir(m.path)
	if err != nil {
		return err
	}
	defer d.close()
	wait := 50 * time.Microsecond
	for try := 1; ; try++ {
		if err := d.write("freezer.state", want); err != nil {
			return err
		}
		state, err := d.read("freezer.state")
		if err != nil || state == want {
			return err
		}
		if on && try%25 == 0 {
			if err := d.write("freezer.state", "THAWED"); err != nil {
				return err
			}
		}
		if !backOff(&wait, deadline) {
			return fmt.Errorf("timed out waiting for %s in %s/freezer.state, which is still %s", want, m.path, state)
		}
	}
}

// thawBelow thaws the v1 cgroups below m that the container has frozen itself: to thaw
// m leaves them frozen, and a process frozen by v1 does not die of SIGKILL.
func (m *member) thawBelow() error {
	d, err := openDir(m.path)
	if err != nil {
		return ignoreGone(err)
	}
	defer d.close()
	return d.walk(func(at dir) error {
		if at == d {
			return nil
		}
		return at.write("freezer.state", "THAWED")
	})
}

// LetDie thaws the group's v1 freezer, and those below it, so that a signal reaches
// processes that it has frozen. v2's freezer does not hold up SIGKILL.
func (g *Group) LetDie(deadline time.Time) error {
	m := g.legacy("freezer")
	if m == nil {
		return nil
	}
	if err := m.freezeV1(false, deadline); err != nil {
		return ignoreGone(err)
	}
	return m.thawBelow()
}

// Frozen reports whether the group was frozen, by either freezer: another tool may have
// used v1's. A group that does not exist is not frozen.
func (g *Group) Frozen() (bool, error) {
	var unified, legacy string
	if m := g.unified(); m != nil {
		unified = m.path
	}
	if m := g.legacy("freezer"); m != nil {
		legacy = m.path
	}
	return frozen(unified, legacy, peek)
}

// frozen is [Group.Frozen] for the directories of a group, which are empty where it has
// none.
func frozen(unified, legacy string, peek func(dir, name string) (string, error)) (bool, error) {
	if unified != "" {
		s, err := peek(unified, "cgroup.freeze")
		if s == "1" {
			return true, nil
		}
		if err != nil && !gone(err) {
			return false, err
		}
	}
	if legacy != "" {
		s, err := peek(legacy, "freezer.state")
		if err != nil && !gone(err) {
			return false, err
		}
		return s == "FROZEN" || s == "FREEZING", nil
	}
	return false, nil
}

// FrozenAbove returns the path of the frozen v2 cgroup above the group's, which keeps
// the group's processes from running too; "" if there is none. With v1's freezer
// [Group.Frozen] reports that already, since freezer.state includes the cgroups above.
func (g *Group) FrozenAbove() (string, error) {
	m := g.unified()
	if m == nil {
		return "", nil
	}
	events, err := m.peek("cgroup.events")
	if err != nil || keyed(events, "frozen") == "0" {
		return "", ignoreGone(err)
	}
	// A loaded group does not know its mount point; no directory above that has the
	// file.
	for p := path.Dir(m.path); p != "/"; p = path.Dir(p) {
		above := member{path: p}
		if state, err := above.peek("cgroup.freeze"); err == nil && state == "1" {
			return p, nil
		}
	}
	return "", nil
}
