// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// A child that is ready early may still fail. That is reported as ever, however far it has
// come when it gets its answer, and no process is left.
func TestReadyEarly(t *testing.T) {
	w := newWorld(t)
	for _, late := range []bool{false, true} {
		r := w.request(nil, "/missing")
		r.Waits.Ready = late
		ready, pid := false, 0
		_, err := drive(r, map[Stage]func(*Session) error{
			AtWork: func(s *Session) error { pid = s.Process().Pid; return nil },
			Ready:  func(s *Session) error { ready = true; return awaitEnd(s.Process()) },
		})
		if ready == late {
			t.Errorf("Waits.Ready %v: the stage has come: %v", late, ready)
		}
		if err == nil || !strings.Contains(err.Error(), "/missing") || !strings.Contains(err.Error(), "no such file") {
			t.Errorf("Waits.Ready %v: %v", late, err)
		}
		if unix.Kill(pid, 0) != unix.ESRCH {
			t.Errorf("Waits.Ready %v: the child is there", late)
		}
	}
}

// Neither is it lost if the child has got the answer, and ends without reading it.
func TestReadyEarlyUnread(t *testing.T) {
	w := newWorld(t)
	for range 20 {
		_, err := drive(w.request(func(s *specs.Spec) { s.Process.Cwd = "/bin/sh" }, "/bin/true"), nil)
		if err == nil || !strings.Contains(err.Error(), "chdir to cwd") {
			t.Errorf("%v", err)
		}
	}
}

// A child that ended before it read the answer has not executed the program.
func TestReadyEarlyKilled(t *testing.T) {
	for _, read := range []bool{false, true} {
		ours, theirs, err := sys.SocketPair()
		if err != nil {
			t.Fatal(err)
		}
		s := Begin(new(Request))
		s.b, s.child = &binding{Request: s.request, prog: new(program.Program)}, &spawned{conn: wire.NewConn(ours)}
		if err := s.child.conn.Answer(wire.Ready, 1); err != nil {
			t.Fatal(err)
		}
		if read {
			_, err = unix.Read(theirs, make([]byte, wire.HeadSize))
		}
		if err := errors.Join(err, unix.Close(theirs)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.awaitExec(); errors.Is(err, wire.ErrClosed) == read || (s.step == nil) != read {
			t.Errorf("read %v: %v", read, err)
		}
		if !read {
			s.child.conn.Close()
		}
	}
}

// If the runtime's part fails, the user's program does not run.
func TestReadyEarlyRefused(t *testing.T) {
	w := newWorld(t)
	_, err := drive(w.request(nil, "/bin/sh", "-c", "echo runs"), map[Stage]func(*Session) error{
		Ready: func(*Session) error { return unix.EDOM },
	})
	if err == nil || w.printed() != "" {
		t.Errorf("%v", err)
	}
}

// The child is not ready early if the runtime's part could be in its way.
func TestReadyEarlyWhen(t *testing.T) {
	class := uint32(1)
	files, processes := plan.Rlimit{Resource: unix.RLIMIT_NOFILE}, plan.Rlimit{Resource: unix.RLIMIT_NPROC}
	for name, c := range map[string]struct {
		change func(b *binding, p *plan.Process)
		caps   uint64
		want   bool
	}{
		"run":                 {func(*binding, *plan.Process) {}, ^uint64(0), true},
		"create":              {func(b *binding, _ *plan.Process) { b.Hold = true }, ^uint64(0), false},
		"pidfd":               {func(b *binding, _ *plan.Process) { b.Waits.Ready = true }, ^uint64(0), false},
		"descriptors":         {func(_ *binding, p *plan.Process) { p.Rlimits = []plan.Rlimit{files} }, ^uint64(0), true},
		"processes":           {func(_ *binding, p *plan.Process) { p.Rlimits = []plan.Rlimit{files, processes} }, ^uint64(0), false},
		"processes, by child": {func(_ *binding, p *plan.Process) { p.Rlimits = []plan.Rlimit{processes} }, 0, true},
		"priority":            {func(b *binding, p *plan.Process) { b.userns, p.IOPriority = true, &class }, ^uint64(0), false},
		"scheduler":           {func(b *binding, p *plan.Process) { b.userns, p.Scheduler = true, new(plan.Scheduler) }, ^uint64(0), false},
		"priority, by child":  {func(_ *binding, p *plan.Process) { p.IOPriority = &class }, ^uint64(0), true},
	} {
		r := &Request{Launch: new(plan.Launch)}
		b := &binding{Request: r, facts: Facts{Caps: c.caps}}
		c.change(b, &r.Launch.Process)
		if got := b.readyEarly(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
