package launch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/specconv"
	"golang.org/x/sys/unix"
)

// world is a bundle whose container has the host's programs, for any user.
type world struct {
	*testing.T
	dir    string
	output *os.File
	warned []string
}

// newWorld skips the test if the host does not allow user namespaces.
func newWorld(t *testing.T) *world {
	t.Helper()
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
	run, err := Run(w.request(nil, "/bin/true"))
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
		Warn:    func(format string, args ...any) { w.warned = append(w.warned, fmt.Sprintf(format, args...)) },
		Ready:   func(*Running) error { return nil },
		Mounted: func(*Running) error { return nil },
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
	run, err := Run(w.request(nil, "/bin/sh", "-c", "hostname; echo $$; exit 7"))
	w.expectStatus(run, err, 7)
	if got := w.printed(); got != "inside\n1\n" {
		t.Errorf("%q", got)
	}
}

// The caller's functions are called at each point where the child waits, in order.
func TestRunStages(t *testing.T) {
	w := newWorld(t)
	r := w.request(nil, "/bin/true")
	var stages []string
	stage := func(name string) func(*Running) error {
		return func(run *Running) error {
			if run.Pid == 0 || run.Pidfd == nil {
				t.Errorf("%s: %+v", name, run)
			}
			stages = append(stages, name)
			return nil
		}
	}
	r.Waits.Mounted = true
	r.Meanwhile, r.Mounted, r.Ready = stage("meanwhile"), stage("mounted"), stage("ready")
	traced := 0
	r.Debug = func(format string, _ ...any) {
		if strings.HasPrefix(format, "child: ") {
			traced++
		}
	}
	run, err := Run(r)
	w.expectStatus(run, err, 0)
	if got := strings.Join(stages, " "); got != "meanwhile mounted ready" {
		t.Errorf("stages: %s", got)
	}
	if traced < 10 {
		t.Errorf("%d operations were traced", traced)
	}
}

// A failure is explained in words, and the child is gone.
func TestRunFails(t *testing.T) {
	w := newWorld(t)
	broken := errors.New("the caller's own")
	for name, c := range map[string]struct {
		request func() *Request
		want    string
	}{
		"no program":  {func() *Request { return w.request(nil, "nosuch") }, `exec: "nosuch": executable file not found in $PATH`},
		"a directory": {func() *Request { return w.request(nil, "/proc") }, `exec: "/proc": is a directory: permission denied`},
		"no source": {func() *Request {
			return w.request(func(s *specs.Spec) {
				s.Mounts = append(s.Mounts, specs.Mount{Destination: "/x", Type: "bind", Source: "/no/such", Options: []string{"bind"}})
			}, "/bin/true")
		}, "mounts[5].source"},
		"cwd": {func() *Request { return w.request(func(s *specs.Spec) { s.Process.Cwd = "/bin/sh" }, "/bin/true") }, `chdir to cwd ("/bin/sh")`},
		"root": {func() *Request {
			r := w.request(nil, "/bin/true")
			r.Launch.Rootfs.Path = "/no/such"
			return r
		}, "root.path: "},
		"meanwhile": {func() *Request {
			r := w.request(nil, "/bin/true")
			r.Meanwhile = func(*Running) error { return broken }
			return r
		}, broken.Error()},
		"ready": {func() *Request {
			r := w.request(nil, "/bin/true")
			r.Ready = func(*Running) error { return broken }
			return r
		}, broken.Error()},
		"killed": {func() *Request {
			r := w.request(nil, "/bin/true")
			r.Ready = func(run *Running) error { return errors.Join(sys.PidfdSignal(run.Pidfd, unix.SIGKILL), awaitEnd(run)) }
			return r
		}, "it was killed"},
		"namespace": {func() *Request {
			return w.request(func(s *specs.Spec) {
				s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: "/proc/self/ns/uts"})
			}, "/bin/true")
		}, "is not a network namespace"},
	} {
		var pid int
		r := c.request()
		meanwhile := r.Meanwhile
		r.Meanwhile = func(run *Running) error {
			pid = run.Pid
			if meanwhile != nil {
				return meanwhile(run)
			}
			return nil
		}
		run, err := Run(r)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, expected %q", name, run, err, c.want)
		}
		if pid != 0 && unix.Kill(pid, 0) != unix.ESRCH {
			t.Errorf("%s: the child is there", name)
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
		run, err := Run(r)
		r.Listener.Close()
		if err != nil {
			t.Fatal(err)
		}
		conn, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err = errors.Join(err, unix.Connect(conn, address)); err != nil {
			t.Fatal(err)
		}
		err = Release(conn, run.Tail, run.First, nil)
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
	first, err := Run(w.request(nil, "/bin/sleep", "1000"))
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
	run, err := Run(r)
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
