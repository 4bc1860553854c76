// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"errors"
	"testing"
	"time"
)

func TestString(t *testing.T) {
	for _, c := range []struct {
		s    Step
		want string
	}{
		{Step{What: "write", On: "/x", Took: 1500}, "runtime: write /x: 1 µs"},
		{Step{What: "wait", Took: time.Second, Note: "it came"}, "runtime: wait: 1000000 µs: it came"},
		{Step{What: "write", On: "/x", Err: errors.New("bad")}, "runtime: write /x: 0 µs: failed: bad"},
		{Step{What: "the child does it", Instant: true}, "runtime: the child does it"},
		{Step{Child: true, Index: 7, What: "mount(proc)", Took: 3000, Field: "mounts[0]"}, "child: 7 mount(proc): 3 µs # mounts[0]"},
		{Step{Child: true, What: "hook(/h)", Note: "exit status 0", Field: "hooks"}, "child: 0 hook(/h): 0 µs: exit status 0 # hooks"},
	} {
		if got := c.s.String(); got != c.want {
			t.Errorf("%q, expected %q", got, c.want)
		}
	}
}

// Without a recorder nothing is measured, allocated or recorded.
func TestOff(t *testing.T) {
	To(nil)
	path := "/x"
	n := testing.AllocsPerRun(100, func() {
		m := Begin()
		if m.On() || On() {
			t.Error("a step was begun")
		}
		m.Done(nil, "write", path)
		_ = Timed("write", path, func() error { return nil })
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestOn(t *testing.T) {
	var got []Step
	To(func(s Step) { got = append(got, s) })
	defer To(nil)
	failure := errors.New("bad")
	begun := time.Now()
	if err := Timed("outer", "/o", func() error {
		Begin().Noted(nil, "inner", "/i", "well")
		Say("%d tries", 2)
		return failure
	}); err != failure {
		t.Error(err)
	}
	if len(got) != 3 {
		t.Fatalf("%+v", got)
	}
	inner, said, outer := got[0], got[1], got[2]
	if inner.What != "inner" || inner.On != "/i" || inner.Note != "well" || inner.Instant || inner.Err != nil {
		t.Errorf("%+v", inner)
	}
	if said.What != "2 tries" || !said.Instant {
		t.Errorf("%+v", said)
	}
	if outer.What != "outer" || outer.Err != failure || outer.Begun.Before(begun) || outer.Begun.After(inner.Begun) || outer.Took < inner.Took {
		t.Errorf("%+v", outer)
	}
}
