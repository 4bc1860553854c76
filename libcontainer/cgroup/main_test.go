// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// The test binary also runs as the processes that the tests put into cgroups, and runs
// itself again in namespaces, where a wrong kill harms only itself.

const (
	helperVar = "CGROUP_TEST_HELPER"
	stageVar  = "CGROUP_TEST_STAGE"
	boxVar    = "CGROUP_TEST_BOX"
)

func TestMain(m *testing.M) {
	if f, ok := helper(os.Getenv(helperVar)); ok {
		os.Exit(f())
	}
	switch os.Getenv(stageVar) {
	case "enter":
		os.Exit(enterNamespaces())
	case "private":
		code, err := runPrivate(m)
		if err != nil {
			fmt.Fprintln(os.Stderr, "private hierarchies:", err)
			os.Exit(99)
		}
		os.Exit(code)
	case "inside":
		if err := setUpInside(); err != nil {
			fmt.Fprintln(os.Stderr, "isolation:", err)
			os.Exit(99)
		}
	}
	os.Exit(m.Run())
}

func helper(name string) (func() int, bool) {
	switch name {
	case "sleep":
		return helperSleep, true
	case "forks":
		return helperForks, true
	case "eat":
		return helperEat, true
	case "eat-there":
		return helperEatThere, true
	case "devices":
		return helperDevices, true
	case "after-stdin":
		return helperAfterStdin, true
	}
	return nil, false
}

func helperSleep() int { time.Sleep(time.Minute); return 0 }

// helperEat uses 64 MiB of memory.
func helperEat() int {
	b := make([]byte, 64<<20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	time.Sleep(time.Minute)
	return int(b[4096])
}

// helperEatThere is helperEat, after it was moved into a test's v1 cgroup.
func helperEatThere() int {
	for {
		b, err := os.ReadFile("/proc/self/cgroup")
		for l := range strings.Lines(string(b)) {
			if strings.Contains(l, ":memory:") && strings.Contains(l, "/skiff-test-") {
				return helperEat()
			}
		}
		if err != nil {
			return 1
		}
		time.Sleep(time.Millisecond)
	}
}

// helperForks starts processes that live on.
func helperForks() int {
	for range 60 {
		c := exec.Command("/proc/self/exe")
		c.Env = []string{helperVar + "=sleep"}
		if c.Start() != nil {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	time.Sleep(time.Minute)
	return 0
}

// helperAfterStdin is helperDevices after the end of standard input, which is when it
// has been moved into a v1 cgroup.
func helperAfterStdin() int {
	_, _ = os.Stdin.Read(make([]byte, 1))
	return helperDevices()
}

// helperDevices prints, for null, kmsg and tun, whether a node with that number can be
// made, and opened for reading and for writing.
func helperDevices() int {
	dir, err := os.MkdirTemp("/dev", "skiff-test-") // other file systems may be mounted with nodev
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	for _, d := range []struct {
		name         string
		major, minor uint32
	}{{"null", 1, 3}, {"kmsg", 1, 11}} {
		p := filepath.Join(dir, d.name)
		fmt.Printf("%s:%s", d.name, errText(unix.Mknod(p, unix.S_IFCHR|0o600, int(unix.Mkdev(d.major, d.minor)))))
		for _, flags := range []int{unix.O_RDONLY, unix.O_WRONLY} {
			fd, err := unix.Open(p, flags|unix.O_NONBLOCK, 0)
			if err == nil {
				unix.Close(fd)
			}
			fmt.Printf(",%s", errText(err))
		}
		fmt.Print(" ")
	}
	return 0
}

func errText(err error) string {
	if err == nil {
		return "ok"
	}
	return unix.ErrnoName(err.(syscall.Errno))
}

// isolated runs the calling test again in a pid, mount and cgroup namespace of its own
// with a pure cgroup v2. In the outer process, where the test is to return, it returns
// false.
func isolated(t *testing.T) bool {
	t.Helper()
	if os.Getenv(stageVar) == "inside" {
		return true
	}
	needRoot(t)
	top := cgroup2Mount(t)
	have, _ := os.ReadFile(top + "/cgroup.controllers")
	for c := range strings.FieldsSeq(string(have)) { // a controller that cannot be enabled is missing inside
		_ = os.WriteFile(top+"/cgroup.subtree_control", []byte("+"+c), 0)
	}
	box := filepath.Join(top, "skiff-box-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(box, 0o755); err != nil {
		t.Skipf("cannot make a cgroup: %v", err)
	}
	f, err := os.Open(box)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	defer removeBox(t, box)
	c := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=60s")
	c.Env = append(os.Environ(), stageVar+"=enter", boxVar+"="+box)
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd()), Setsid: true}
	out, err := c.CombinedOutput()
	switch {
	case err != nil:
		t.Fatalf("inside: %v\n%s", err, out)
	case bytes.Contains(out, []byte("--- SKIP")):
		t.Skipf("inside:\n%s", out)
	case !bytes.Contains(out, []byte("--- PASS: "+t.Name())):
		t.Fatalf("inside, the test did not run:\n%s", out)
	}
	t.Logf("inside:\n%s", out)
	return false
}

func removeBox(t *testing.T, box string) {
	f, err := os.Open(box)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 100 {
		if err = sys.RemoveDirectories(int(f.Fd())); err != nil {
			break
		}
		if err = unix.Rmdir(box); err == nil || err == unix.ENOENT {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%s: cannot be removed; a test left processes: %v", box, err)
}

func enterNamespaces() int {
	c := exec.Command("/proc/self/exe", os.Args[1:]...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.Env = append(os.Environ(), stageVar+"=inside")
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWCGROUP,
		Pdeathsig:  unix.SIGKILL,
	}
	err := c.Start()
	if err == nil {
		// The root that the tests see must not hold a process, or it could not pass
		// controllers on.
		wait := filepath.Join(os.Getenv(boxVar), "wait")
		err = errors.Join(os.Mkdir(wait, 0o755), os.WriteFile(wait+"/cgroup.procs", []byte("0"), 0), c.Wait())
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return 1
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "isolation:", err)
		return 99
	}
	return 0
}

func setUpInside() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	if err := unix.Unmount("/sys/fs/cgroup", unix.MNT_DETACH); err != nil {
		return err
	}
	if err := unix.Mount("none", "/sys/fs/cgroup", "cgroup2", 0, ""); err != nil {
		return err
	}
	if err := os.Mkdir("/sys/fs/cgroup/harness", 0o755); err != nil {
		return err
	}
	if err := os.WriteFile("/sys/fs/cgroup/harness/cgroup.procs", []byte("0"), 0); err != nil {
		return err
	}
	for deadline := soon(); ; time.Sleep(time.Millisecond) {
		b, err := os.ReadFile("/sys/fs/cgroup/cgroup.procs")
		if err != nil || len(b) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %q stay in the root", b)
		}
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skipf("needs root; this is user %d", os.Getuid())
	}
}

// cgroup2Mount returns the mount point of the host's cgroup v2.
func cgroup2Mount(t *testing.T) string {
	t.Helper()
	all, err := hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range all {
		if h.unified() {
			return h.mount
		}
	}
	t.Skip("the host has no cgroup v2 mounted")
	return ""
}

// legacyHost skips a v1 test if no controller is in a v1 hierarchy.
func legacyHost(t *testing.T) []hierarchy {
	t.Helper()
	needRoot(t)
	all, err := hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 1 && all[0].unified() {
		t.Skip("the host has no cgroup v1 hierarchy mounted")
	}
	return all
}

func ptr[T any](v T) *T { return &v }

func soon() time.Time { return time.Now().Add(10 * time.Second) }

// newGroup makes a group with a unique name, and has it removed with everything in it
// when the test ends.
func newGroup(t testing.TB, c Config) *Group {
	t.Helper()
	if c.ID == "" && c.Path == "" {
		c.ID = fmt.Sprintf("skiff-test-%d-%d", os.Getpid(), time.Now().UnixNano())
	}
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Create(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Kill(); err != nil {
			t.Error(err)
		}
		if err := g.Remove(soon()); err != nil {
			t.Error(err)
		}
		for _, p := range g.Paths() {
			if _, err := os.Stat(p); !os.IsNotExist(err) {
				t.Errorf("%s is still there (%v)", p, err)
			}
		}
	})
	return g
}

// spawn starts a helper in the group and returns its pid.
func spawn(t testing.TB, g *Group, name string) int {
	t.Helper()
	c := exec.Command("/proc/self/exe")
	c.Env = []string{helperVar + "=" + name}
	if err := start(g, c); err != nil {
		t.Fatal(err)
	}
	go func() { _ = c.Wait() }() // a zombie would keep the cgroup populated
	return c.Process.Pid
}

// start starts c as a launcher does: it is cloned into the unified cgroup and then
// moved into the v1 ones.
func start(g *Group, c *exec.Cmd) error {
	f, err := g.Open()
	if err != nil {
		return err
	}
	if f != nil {
		defer f.Close()
		c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	}
	if err := c.Start(); err != nil {
		return err
	}
	return g.Join(c.Process.Pid)
}

func readFile(t *testing.T, elem ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// awaitReaped waits until the parent of an ended process has reaped it.
func awaitReaped(t *testing.T, pid int) {
	t.Helper()
	for deadline := soon(); unix.Kill(pid, 0) != unix.ESRCH; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d lives after Kill and Remove", pid)
		}
	}
}
