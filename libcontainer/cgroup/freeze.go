package cgroup

import (
	"errors"
	"fmt"
	"path"
	"time"
)

// Freeze stops all processes of the group and returns when they are stopped.
// If that takes until the deadline, the group is thawed again.
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
			return fmt.Errorf("%w; and thawing it again: %w", err, thaw)
		}
	}
	return err
}

// Thaw lets all processes of the group run and returns when they can.
func (g *Group) Thaw(deadline time.Time) error { return g.setFrozen(false, deadline) }

func (g *Group) setFrozen(on bool, deadline time.Time) error {
	switch unified, legacy := g.unified(), g.legacy("freezer"); {
	case unified != nil:
		// v2's freezer needs no controller, and what it froze can be killed.
		return unified.freezeV2(on, deadline)
	case legacy != nil:
		return legacy.freezeV1(on, deadline)
	}
	return errors.New("the host has neither the freezer of cgroup v1 nor cgroup v2")
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
	ok, err := d.awaitEvent("frozen", want, deadline)
	if err == nil && !ok {
		err = fmt.Errorf("waited for \"frozen %s\" in %s/cgroup.events until the deadline", want, m.path)
	}
	return err
}

// freezeV1 writes the state until it is reached: a process that is made just
// then, or one asleep in the kernel, leaves the cgroup FREEZING, and a look at
// the state makes the kernel look again. A short thaw now and then frees
// processes that wait for each other, one of them frozen.
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
		if !pause(&wait, deadline) {
			return fmt.Errorf("waited for %s in %s/freezer.state until the deadline; it is %s", want, m.path, state)
		}
	}
}

// thawBelow thaws what a container has frozen itself in cgroups of its own: a
// thaw of the cgroup above leaves it frozen, and v1's freezer keeps it from
// dying.
func (m *member) thawBelow() error {
	d, err := openDir(m.path)
	if err != nil {
		return notGone(err)
	}
	defer d.close()
	return d.walk(func(at dir) error {
		if at == d {
			return nil
		}
		return at.write("freezer.state", "THAWED")
	})
}

// LetDie thaws what a signal that ends processes would not reach: what v1's
// freezer holds.
func (g *Group) LetDie(deadline time.Time) error {
	m := g.legacy("freezer")
	if m == nil {
		return nil
	}
	if err := m.freezeV1(false, deadline); err != nil {
		return notGone(err)
	}
	return m.thawBelow()
}

// Frozen reports whether the group was frozen, by either freezer: another tool
// may have used v1's. A group that does not exist is not frozen.
func (g *Group) Frozen() (bool, error) {
	if m := g.unified(); m != nil {
		s, err := m.peek("cgroup.freeze")
		if s == "1" {
			return true, nil
		}
		if err != nil && !gone(err) {
			return false, err
		}
	}
	if m := g.legacy("freezer"); m != nil {
		s, err := m.peek("freezer.state")
		if err != nil && !gone(err) {
			return false, err
		}
		return s == "FROZEN" || s == "FREEZING", nil
	}
	return false, nil
}

// FrozenAbove names the cgroup above the group's that is frozen, so that nothing
// runs in the group's either; "" if there is none. Of v1's freezer
// [Group.Frozen] reports that: its state is the effective one.
func (g *Group) FrozenAbove() (string, error) {
	m := g.unified()
	if m == nil {
		return "", nil
	}
	events, err := m.peek("cgroup.events")
	if err != nil || keyed(events, "frozen") == "0" {
		return "", notGone(err)
	}
	// The mount point of a group that was loaded is not known: the file is in no
	// directory above it.
	for p := path.Dir(m.path); p != "/"; p = path.Dir(p) {
		above := member{path: p}
		if state, err := above.peek("cgroup.freeze"); err == nil && state == "1" {
			return p, nil
		}
	}
	return "", nil
}
