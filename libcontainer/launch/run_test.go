// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"github.com/skiff-oci/skiff/specconv"
	"github.com/skiff-oci/skiff/tests/parts"
	"golang.org/x/sys/unix"
)

// world is a bundle whose container has the host's programs, for any user.
type world struct {
	*testing.T
	dir    string
	output *os.File
	warned []string
}

// drive starts the process of r. at holds what the caller does at a stage.
func drive(r *Request, at map[Stage]func(s *Session) error) (*Running, error) {
	s := Begin(r)
	defer s.Close()
	for s.Next() {
		if f := at[s.Stage()]; f != nil {
			s.Answer(f(s))
		}
	}
	return s.Result()
}

// newWorld skips the test if the host does not allow user namespaces.
func newWorld(t *testing.T) *world {
	t.Helper()
	if err := parts.Child.Check(); err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, dir: t.TempDir()}
	for _, d := range []string{"rootfs/proc", "rootfs/dev", "rootfs/tmp"} {
		if err := os.MkdirAll(filepath.Join(w.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if w.output, err = os.Create(filepath.Join(w.dir, "output")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.output.Close() })
	run, err := drive(w.request(nil, "/bin/true"), nil)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EACCES) {
		t.Skipf("this host lets this user make no user namespace with a proc: %v", err)
	}
	w.expectStatus(run, err, 0)
	return w
}

// request returns a request to run one of the host's programs in a user namespace;
// change may change the configuration.
func (w *world) request(change func(s *specs.Spec), args ...string) *Request {
	w.Helper()
	s := specconv.Example(true)
	s.Process.Terminal, s.Process.Args, s.Process.Rlimits = false, args, nil
	s.Root.Readonly, s.Hostname = false, "inside"
	s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = nil, nil
	s.Mounts = []specs.Mount{{Destination: "/proc", Type: "bind", Source: "/proc", Options: []string{"rbind"}}}
	for _, d := range []string{"/bin", "/lib", "/lib64", "/usr"} {
		if _, err := os.Stat(d); err == nil {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: d, Type: "bind", Source: d, Options: []string{"rbind"}})
		}
	}
	if change != nil {
		change(s)
	}
	l, _, err := specconv.Compile(s, specconv.Options{ID: "web", Bundle: w.dir, Rootless: os.Geteuid() != 0})
	if err != nil {
		w.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { null.Close() })
	return &Request{
		Launch: l, Stdio: [3]*os.File{null, w.output, w.output}, Scratch: w.dir,
		Warn: func(format string, args ...any) { w.warned = append(w.warned, fmt.Sprintf(format, args...)) },
	}
}

// expectStatus waits for the end of a program.
func (w *world) expectStatus(run *Running, err error, want int) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	defer run.Pidfd.Close()
	if code, err := sys.Wait(run.Pid); err != nil || code != want {
		w.Fatalf("status %d, %v, expected %d", code, err, want)
	}
}

// printed returns what programs have printed since the last call.
func (w *world) printed() string {
	w.Helper()
	b, err := os.ReadFile(w.output.Name())
	if err = errors.Join(err, w.output.Truncate(0)); err != nil {
		w.Fatal(err)
	}
	if _, err := w.output.Seek(0, 0); err != nil {
		w.Fatal(err)
	}
	return string(b)
}

func TestRunStatus(t *testing.T) {
	w := newWorld(t)
	run, err := drive(w.request(nil, "/bin/sh", "-c", "hostname; echo $$; exit 7"), nil)
	w.expectStatus(run, err, 7)
	if got := w.printed(); got != "inside\n1\n" {
		t.Errorf("%q", got)
	}
}

// The caller has its turn at each stage, in order.
func TestStages(t *testing.T) {
	w := newWorld(t)
	r := w.request(nil, "/bin/true")
	r.Waits.Mounted = true
	traced := 0
	trace.To(func(s trace.Step) {
		if s.Child {
			traced++
		}
	})
	defer trace.To(nil)
	s := Begin(r)
	defer s.Close()
	var stages []Stage
	for s.Next() {
		if p := s.Process(); p.Pid == 0 || p.Pidfd == nil {
			t.Errorf("stage %d: %+v", s.Stage(), p)
		}
		stages = append(stages, s.Stage())
	}
	run, err := s.Result()
	w.expectStatus(run, err, 0)
	if want := []Stage{AtWork, Mounted, Ready}; !slices.Equal(stages, want) {
		t.Errorf("stages: %d, expected %d", stages, want)
	}
	if traced < 10 {
		t.Errorf("%d operations were traced", traced)
	}
}

// A session that is left before its end leaves no process.
func TestSessionClosed(t *testing.T) {
	w := newWorld(t)
	for stages := range 4 {
		s := Begin(w.request(nil, "/bin/sleep", "1000"))
		for range stages {
			s.Next()
		}
		s.Close()
		if p := s.Process(); p != nil && stages < 3 && unix.Kill(p.Pid, 0) != unix.ESRCH {
			t.Errorf("after %d stages: the child is there", stages)
		} else if stages == 3 {
			if err := unix.Kill(p.Pid, unix.SIGKILL); err != nil {
				t.Errorf("a session that is over has ended the process: %v", err)
			}
			w.expectStatus(p, nil, 128+int(unix.SIGKILL))
		}
		if s.Next() {
			t.Errorf("after %d stages: it goes on", stages)
		}
	}
}

// If the child has failed, that is why the caller's step fails.
func TestChildFailedFirst(t *testing.T) {
	w := newWorld(t)
	r := w.request(func(s *specs.Spec) { s.Process.Cwd = "/bin/sh" }, "/bin/true")
	_, err := drive(r, map[Stage]func(*Session) error{AtWork: func(s *Session) error {
		return errors.Join(errors.New("of no interest"), awaitEnd(s.Process()))
	}})
	if err == nil || !strings.Contains(err.Error(), "chdir to cwd") || strings.Contains(err.Error(), "interest") {
		t.Errorf("%v", err)
	}
}

// A failure is explained in words, and the child is gone.
func TestRunFails(t *testing.T) {
	w := newWorld(t)
	broken := errors.New("the caller's own")
	mounts := len(w.request(nil, "/bin/true").Launch.Rootfs.Mounts) // depends on the host's folders
	for name, c := range map[string]struct {
		request func() *Request
		at      map[Stage]func(s *Session) error
		want    string
	}{
		"no program":  {func() *Request { return w.request(nil, "nosuch") }, nil, `exec: "nosuch": executable file not found in $PATH`},
		"a directory": {func() *Request { return w.request(nil, "/proc") }, nil, `exec: "/proc": is a directory: permission denied`},
		"no source": {func() *Request {
			return w.request(func(s *specs.Spec) {
				s.Mounts = append(s.Mounts, specs.Mount{Destination: "/x", Type: "bind", Source: "/no/such", Options: []string{"bind"}})
			}, "/bin/true")
		}, nil, fmt.Sprintf("mounts[%d].source", mounts)},
		"cwd": {func() *Request { return w.request(func(s *specs.Spec) { s.Process.Cwd = "/bin/sh" }, "/bin/true") }, nil, `chdir to cwd ("/bin/sh")`},
		"root": {func() *Request {
			r := w.request(nil, "/bin/true")
			r.Launch.Rootfs.Path = "/no/such"
			return r
		}, nil, "root.path: "},
		"at work": {nil, map[Stage]func(*Session) error{AtWork: func(*Session) error { return broken }}, broken.Error()},
		"ready":   {nil, map[Stage]func(*Session) error{Ready: func(*Session) error { return broken }}, broken.Error()},
		"killed": {nil, map[Stage]func(*Session) error{Ready: func(s *Session) error {
			return errors.Join(sys.PidfdSignal(s.Process().Pidfd, unix.SIGKILL), awaitEnd(s.Process()))
		}}, "it was killed"},
		"namespace": {func() *Request {
			return w.request(func(s *specs.Spec) {
				s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: "/proc/self/ns/uts"})
			}, "/bin/true")
		}, nil, "is not a network namespace"},
	} {
		r := w.request(nil, "/bin/true")
		if c.request != nil {
			r = c.request()
		}
		s := Begin(r)
		for s.Next() {
			if f := c.at[s.Stage()]; f != nil {
				s.Answer(f(s))
			}
		}
		run, err := s.Result()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, expected %q", name, run, err, c.want)
		}
		if p := s.Process(); p != nil && unix.Kill(p.Pid, 0) != unix.ESRCH {
			t.Errorf("%s: the child is there", name)
		}
	}
}

// A hook that cannot be executed reports why, and its end is reported as well: the
// first of the two is the error, however late the runtime reads it.
func TestFirstFailure(t *testing.T) {
	w := newWorld(t)
	for range 20 {
		r := w.request(func(s *specs.Spec) {
			s.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{Path: "/no/such"}}}
		}, "/bin/true")
		_, err := drive(r, nil)
		if err == nil || !strings.HasSuffix(err.Error(), "/no/such: no such file or directory") {
			t.Fatalf("%v", err)
		}
	}
}

func awaitEnd(run *Running) error {
	_, err := sys.WaitPeek(run.Pid)
	return err
}

// A process that waits for start goes on, or reports its failure to start.
func TestHold(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"/bin/sh", "-c", "exit 7"}, ""},
		{[]string{"/tmp/script"}, "exec format error"},
	} {
		if err := os.WriteFile(filepath.Join(w.dir, "rootfs/tmp/script"), []byte("no program"), 0o755); err != nil {
			t.Fatal(err)
		}
		r := w.request(nil, c.args...)
		address := &unix.SockaddrUnix{Name: filepath.Join(w.dir, "socket")}
		os.Remove(address.Name)
		listener, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err = errors.Join(err, unix.Bind(listener, address), unix.Listen(listener, 1)); err != nil {
			t.Fatal(err)
		}
		r.Hold, r.Listener = true, os.NewFile(uintptr(listener), "listener")
		run, err := drive(r, nil)
		r.Listener.Close()
		if err != nil {
			t.Fatal(err)
		}
		conn, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err = errors.Join(err, unix.Connect(conn, address)); err != nil {
			t.Fatal(err)
		}
		err = Release(conn, run.Pid, run.Tail, run.First)
		if c.want == "" {
			w.expectStatus(run, err, 7)
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, expected %q", err, c.want)
		}
		w.expectStatus(run, nil, 1)
	}
}

// An exec joins the namespaces of the first process.
func TestRunExec(t *testing.T) {
	w := newWorld(t)
	first, err := drive(w.request(nil, "/bin/sleep", "1000"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = sys.PidfdSignal(first.Pidfd, unix.SIGKILL)
		_, _ = sys.Wait(first.Pid)
		first.Pidfd.Close()
	}()
	r := w.request(nil, "/bin/sh", "-c", "hostname; cat /proc/1/comm; exit 3")
	l := *r.Launch
	l.Joined = true
	r.Launch, r.Init, r.InitPid = &l, first.Pidfd, first.Pid
	for _, n := range l.Namespaces {
		r.InitNamespaces |= n.Flag
	}
	l.Namespaces = nil
	run, err := drive(r, nil)
	w.expectStatus(run, err, 3)
	if got := w.printed(); !strings.HasPrefix(got, "inside\n") {
		t.Errorf("%q", got)
	}
}

// The listing of a plan is the listing of the program that would run.
func TestPlan(t *testing.T) {
	l, _, err := specconv.Compile(specconv.Example(false), specconv.Options{ID: "web", Bundle: "/bundle"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Plan(&Request{Launch: l, Warn: func(string, ...any) {}})
	if err != nil {
		t.Skipf("this user may not do what the configuration asks for: %v", err)
	}
	if !strings.Contains(p.String(), "exec(") {
		t.Errorf("%s", p)
	}
}
