// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/skiff-oci/skiff/tests/isolate"
	"golang.org/x/sys/unix"
)

const (
	container = "skiff-guard" // the container that run makes

	program = "/bin/true" // what the containers run; one sleeps for exec and state

	callsFile  = "testdata/calls.txt"
	faultsFile = "testdata/faults.txt"

	// margin is how many percent more page faults than the budget's are allowed: kernels
	// map a file's pages in different portions.
	margin = 10
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(isolate.Main(m))
}

// updating reports whether the flag of package golden is set.
func updating() bool { return flag.Lookup("update").Value.String() == "true" }

// needCounts skips a test whose counts would differ on this host.
func needCounts(t *testing.T) {
	t.Helper()
	isolate.Require(t)
	if runtime.GOARCH != "amd64" {
		t.Skipf("the budget is that of amd64, this host is %s", runtime.GOARCH)
	}
	var u unix.Utsname
	var major, minor int
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	release := unix.ByteSliceToString(u.Release[:])
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil || major*1000+minor < 6006 {
		t.Skipf("older kernels lack calls that the budget has: this is Linux %s, not 6.6", release)
	}
	if have, on := read(t, "cgroup.controllers"), read(t, "cgroup.subtree_control"); have != on {
		t.Skipf("of the cgroup controllers %q only %q can be enabled, so the runtime tries again", have, on)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(isolate.Unified(), name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// A place has a copy of skiff, on a tmpfs of its own, since the number of page faults
// depends on how a file lies in the page cache; a bundle; and a container that sleeps.
type place struct{ dir string }

func newPlace(t *testing.T) *place {
	t.Helper()
	binary := os.Getenv("SKIFF")
	if binary == "" {
		t.Skip("SKIFF does not name a skiff to test")
	}
	p := &place{t.TempDir()}
	if err := unix.Mount("tmpfs", p.dir, "tmpfs", 0, "mode=755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.command("delete", "--force", "sleeper").Run()
		if err := unix.Unmount(p.dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"bin", "dev", "proc", "sys", "etc/hidden"} {
		if err := os.MkdirAll(filepath.Join(p.dir, "b/rootfs", d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for to, from := range map[string]string{"skiff": binary, "b/rootfs/bin/true": busybox, "b/rootfs/bin/sleep": busybox, "b/rootfs/etc/secret": "/dev/null"} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p.dir, to), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p.do(t, p.command("spec"))
	p.configure(t, "/bin/sleep", "1000")
	p.do(t, p.command("run", "--detach", "sleeper"))
	p.configure(t, program)
	p.do(t, p.command("run", "warm"))
	return p
}

// configure sets the arguments of the process. It leaves out the paths that only some
// kernels have from those that are hidden or made read-only.
func (p *place) configure(t *testing.T, args ...string) {
	t.Helper()
	path := filepath.Join(p.dir, "b/config.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	process, linux := c["process"].(map[string]any), c["linux"].(map[string]any)
	process["args"], process["terminal"] = args, false
	linux["maskedPaths"] = []string{"/etc/hidden", "/etc/secret"}
	linux["readonlyPaths"] = []string{"/proc/sys", "/proc/irq"}
	if text, err = json.Marshal(c); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// command returns a command of skiff, with an environment that does not depend on the host.
func (p *place) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.dir, "skiff"), append([]string{"--root", filepath.Join(p.dir, "root")}, args...)...)
	cmd.Dir, cmd.Env = filepath.Join(p.dir, "b"), []string{"PATH=/usr/bin:/bin"}
	return cmd
}

// do runs a command with its output in a file: a container keeps it open. The command has
// one CPU: with another one that is idle, skiff makes the network namespace ahead.
func (p *place) do(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	defer onOneCPU(t)()
	name := filepath.Join(p.dir, "output")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(name)
		t.Fatalf("%v: %v: %s", cmd.Args, err, text)
	}
}

// onOneCPU lets this thread, and what it starts, use one CPU only, until the function that
// it returns is called.
func onOneCPU(t *testing.T) (restore func()) {
	t.Helper()
	runtime.LockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.SchedSetaffinity(0, &all); err != nil {
			t.Error(err)
		}
		runtime.UnlockOSThread()
	}
}

// commands are what is counted, with their arguments.
var commands = map[string][]string{
	"run":   {"run", container},
	"exec":  {"exec", "sleeper", program},
	"state": {"state", "sleeper"},
}

func TestCalls(t *testing.T) {
	needCounts(t)
	p := newPlace(t)
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip(err)
	}
	if out, err := exec.Command(strace, "-f", "-o", "/dev/null", "/bin/true").CombinedOutput(); err != nil {
		t.Skipf("strace cannot trace here: %v: %s", err, out)
	}
	count := func(args []string) map[string]int {
		file := filepath.Join(p.dir, "trace")
		cmd := p.command(args...)
		cmd.Args = append([]string{strace, "-f", "-qq", "-e", "signal=none", "-o", file}, cmd.Args...)
		cmd.Path = strace
		p.do(t, cmd)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return calls(string(text), program)
	}
	used := make(budget)
	for name, args := range commands {
		used[name] = least([]map[string]int{count(args), count(args), count(args)})
	}
	check(t, used, callsFile, 0)
}

func TestFaults(t *testing.T) {
	needCounts(t)
	p := newPlace(t)
	used := make(budget)
	for name, args := range commands {
		var runs []map[string]int
		for range 15 {
			cmd := p.command(args...)
			p.do(t, cmd)
			usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
			if !ok {
				t.Fatal("no usage")
			}
			runs = append(runs, map[string]int{"faults": int(usage.Minflt)})
		}
		used[name] = least(runs)
	}
	check(t, used, faultsFile, margin)
}

// check compares what was used with a budget, or writes the budget.
func check(t *testing.T, used budget, file string, percent int) {
	t.Helper()
	if updating() {
		if err := os.WriteFile(file, []byte(used.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var over []string
	for name := range commands {
		over = append(over, b.over(name, used[name], percent)...)
	}
	if len(over) > 0 {
		t.Errorf("more than tests/guard/%s allows:\n%s\nIf the change is intended, write the budget anew and review it:\n    make budget",
			file, strings.Join(over, "\n"))
	}
}
