// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// recorded calls f and returns the steps of the child that were recorded, which must be
// in order and within the time that f took.
func recorded(t *testing.T, f func()) (steps []trace.Step) {
	t.Helper()
	trace.To(func(s trace.Step) {
		if s.Child {
			steps = append(steps, s)
		}
	})
	defer trace.To(nil)
	// The child has a clock of its own, whose readings are of wall time.
	begun := time.Now().Round(0)
	f()
	ended := time.Now().Round(0)
	for i, s := range steps {
		if s.Index != i || s.Pid <= 0 || s.Took < 0 || s.Begun.Before(begun) || s.Begun.Add(s.Took).After(ended) {
			t.Fatalf("step %d is %+v, begun %v after the beginning, %v before the end", i, s, s.Begun.Sub(begun), ended.Sub(s.Begun))
		}
		begun = s.Begun.Add(s.Took)
	}
	return steps
}

// report runs operations in a child, and returns its steps.
func report(t *testing.T, ops ...program.Operation) []trace.Step {
	t.Helper()
	b := &binding{Request: &Request{Launch: new(plan.Launch), Scratch: t.TempDir()}, prog: new(program.Program)}
	b.prog.Inherit(0)
	for _, op := range ops {
		b.prog.Add("field", op)
	}
	b.prog.Add("", program.Sync{Message: wire.Ready})
	return recorded(t, func() {
		done := make(chan error, 1)
		go func() { done <- b.carryOut(nil, nil) }()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the child and the runtime wait for each other")
		}
	})
}

// More operations than the socket has room for are all reported, also while the runtime
// waits for the end of a child that forks.
func TestAllReported(t *testing.T) {
	const many = 3000
	var ops []program.Operation
	for range many {
		ops = append(ops, program.Umask{})
	}
	steps := report(t, append(append(ops, program.Fork{}), ops...)...)
	if len(steps) != 2*many+1 {
		t.Fatalf("%d of %d steps", len(steps), 2*many+1)
	}
	before, fork, after := steps[many-1], steps[many], steps[many+1]
	if before.Pid == after.Pid || fork.Pid != after.Pid || fork.What != "fork()" || after.Field != "field" {
		t.Errorf("%+v\n%+v\n%+v", before, fork, after)
	}
}

// What was refused and done without is told, and so is what a hook has printed, each of
// its own operation.
func TestNotes(t *testing.T) {
	const output = "went wrong, but who cares"
	steps := report(t,
		program.Unshare{Namespaces: unix.CLONE_NEWUSER},
		program.Groups{Try: true}, // no group is mapped
		program.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", "echo; echo " + output}},
		program.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", ":"}},
		program.Umask{},
	)
	want := []string{
		"", "went on without setgroups, which was refused: operation not permitted",
		`exit status 0; it printed "` + output + `"`, "exit status 0", "",
	}
	for i := range want {
		if i >= len(steps) || steps[i].Note != want[i] {
			t.Errorf("step %d: %+v, expected %q", i, steps[i], want[i])
		}
	}
}

// A child that enters a time namespace goes on with the same clock. The execution of
// the program is the last step.
func TestStepsInTimeNamespace(t *testing.T) {
	if _, err := os.Stat("/proc/self/ns/time"); err != nil {
		t.Skip("the kernel has no time namespaces")
	}
	w := newWorld(t)
	r := w.request(func(s *specs.Spec) {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
		s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {Secs: 7 * 86400}, "boottime": {Secs: 7 * 86400}}
	}, "/bin/true")
	var names []string
	for _, s := range recorded(t, func() {
		run, err := drive(r, nil)
		w.expectStatus(run, err, 0)
	}) {
		names = append(names, s.What)
	}
	all := strings.Join(names, " ")
	if !strings.Contains(all, " timens(") || !strings.HasSuffix(all, " exec(/bin/true)") {
		t.Error(all)
	}
}

// create records all operations up to start's, the wait for its own answer included, and
// start goes on from there.
func TestStepsOfStart(t *testing.T) {
	w := newWorld(t)
	r := w.request(nil, "/bin/true")
	address := &unix.SockaddrUnix{Name: filepath.Join(w.dir, "socket")}
	listener, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err = errors.Join(err, unix.Bind(listener, address), unix.Listen(listener, 1)); err != nil {
		t.Fatal(err)
	}
	r.Hold, r.Listener = true, os.NewFile(uintptr(listener), "listener")
	made := 0
	steps := recorded(t, func() {
		run, err := drive(r, nil)
		r.Listener.Close()
		if err != nil {
			t.Fatal(err)
		}
		made = run.First
		conn, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err = errors.Join(err, unix.Connect(conn, address)); err != nil {
			t.Fatal(err)
		}
		w.expectStatus(run, Release(conn, run.Pid, run.Tail, run.First), 0)
	})
	if len(steps) <= made || steps[made-1].What != "sync(ready)" || steps[made].What != "listen()" || steps[len(steps)-1].What != "exec(/bin/true)" {
		t.Errorf("create ends at %d: %+v", made, steps)
	}
}
