// SPDX-License-Identifier: Apache-2.0

package isolate_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/tests/isolate"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { os.Exit(isolate.Main(m)) }

func TestNamespaces(t *testing.T) {
	isolate.Require(t)
	environ, err := os.ReadFile("/proc/1/environ")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(environ), "SKIFF_TEST_STAGE=init") {
		t.Error("process 1 is not the init of this package")
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(isolate.Unified(), &fs); err != nil {
		t.Fatal(err)
	}
	if fs.Type != unix.CGROUP2_SUPER_MAGIC {
		t.Errorf("%s has file system type %#x, want cgroup2's %#x", isolate.Unified(), fs.Type, unix.CGROUP2_SUPER_MAGIC)
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(own)) {
		if _, at, _ := strings.Cut(strings.TrimSpace(line), ":"); at != ":/harness" && isolate.Legacy() && !strings.HasSuffix(at, ":/") {
			t.Errorf("own cgroup of v1 is %q, want the root of what is seen", line)
		}
	}
	if !strings.Contains(string(own), "0::/harness\n") {
		t.Errorf("own cgroup is %q, want 0::/harness", own)
	}
}

func TestOrphansAreReaped(t *testing.T) {
	isolate.Require(t)
	out, err := exec.Command("sh", "-c", "(sh -c 'echo $$; sleep 0.1' &)").Output()
	if err != nil {
		t.Fatal(err)
	}
	pid := strings.TrimSpace(string(out))
	for range 100 {
		if _, err = os.Stat("/proc/" + pid); os.IsNotExist(err) {
			return
		}
		exec.Command("sleep", "0.02").Run()
	}
	stat, _ := os.ReadFile("/proc/" + pid + "/stat")
	t.Errorf("orphan %s is still there: %s", pid, stat)
}

func TestCgroupIsWritable(t *testing.T) {
	isolate.Require(t)
	dir := isolate.Unified() + "/writable/below"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(cmd.Process.Pid)
	if err := os.WriteFile(dir+"/cgroup.procs", []byte(pid), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/cgroup.kill", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("a process in a cgroup that was killed: %v, want signal: killed", err)
	}
}

// A test that damages a device node damages only its copy.
func TestDevicesAreCopies(t *testing.T) {
	isolate.Require(t)
	var null unix.Stat_t
	if err := unix.Stat("/dev/null", &null); err != nil {
		t.Fatal(err)
	}
	if null.Mode != unix.S_IFCHR|0o666 || null.Rdev != unix.Mkdev(1, 3) {
		t.Errorf("/dev/null: mode %#o, device %#x", null.Mode, null.Rdev)
	}
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	for line := range strings.Lines(string(info)) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == "/dev" {
			last = line
		}
	}
	if !strings.Contains(last, " - tmpfs ") {
		t.Errorf("the last mount on /dev is %q, want a tmpfs", last)
	}
}
