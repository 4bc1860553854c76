package cgroup

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/skiff-oci/skiff/tests/isolate"
	"golang.org/x/sys/unix"
)

// Controllers of v1 that the host has mounted nowhere can be: they are, in a
// mount namespace of the test's own. The hierarchy is gone when the last of its
// cgroups is and it is mounted no more.

// privateVar has the hierarchies to mount, with blanks between them. For the
// time of the test cgroup v2 lacks their controllers, wherever it is mounted: so
// by default they are those that it does not have.
const privateVar = "CGROUP_TEST_V1"

func privateHierarchies() []string {
	if s := os.Getenv(privateVar); s != "" {
		return strings.Fields(s)
	}
	return []string{"net_cls,net_prio"}
}

// private runs the calling test again where more v1 hierarchies are mounted,
// and reports false in the outer process, where the test is to return.
func private(t *testing.T) bool {
	t.Helper()
	if os.Getenv(stageVar) == "private" {
		return true
	}
	needRoot(t)
	c := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=120s")
	c.Env = append(os.Environ(), stageVar+"=private")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	out, err := c.CombinedOutput()
	switch {
	case err != nil:
		t.Fatalf("with private hierarchies: %v\n%s", err, out)
	case bytes.Contains(out, []byte("--- SKIP: "+t.Name())):
		t.Skipf("with private hierarchies:\n%s", out)
	case !bytes.Contains(out, []byte("--- PASS: "+t.Name())):
		t.Fatalf("with private hierarchies, the test did not run:\n%s", out)
	}
	t.Logf("with private hierarchies:\n%s", out)
	return false
}

// runPrivate mounts what can be mounted. What cannot is missing, and a test that
// needs it says so.
func runPrivate(m *testing.M) (code int, err error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return 0, err
	}
	top, err := os.MkdirTemp("", "skiff-v1-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(top)
	if err := besideUnified(); err != nil {
		return 0, err
	}
	all, err := hierarchies()
	if err != nil {
		return 0, err
	}
	unified := ""
	for _, h := range all {
		if h.unified() {
			unified = h.mount
		}
	}
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0, err
	}
	for _, names := range privateHierarchies() {
		first, _, _ := strings.Cut(names, ",")
		if _, ok := memberOf(string(self), first); ok {
			continue // the host has it
		}
		dir := filepath.Join(top, names)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return 0, err
		}
		dissolve, mountErr := isolate.MountLegacy(dir, names, unified)
		if mountErr != nil {
			_ = os.Remove(dir)
			continue
		}
		defer func() {
			if dissolveErr := dissolve(); err == nil {
				err = dissolveErr
			}
		}()
	}
	return m.Run(), nil
}

// besideUnified moves cgroup v2 from where it is alone to where it is beside v1.
func besideUnified() error {
	var st unix.Statfs_t
	if err := unix.Statfs(unifiedMount, &st); err != nil || st.Type != unix.CGROUP2_SUPER_MAGIC {
		return err
	}
	if err := unix.Unmount(unifiedMount, unix.MNT_DETACH); err != nil {
		return err
	}
	if err := unix.Mount("none", unifiedMount, "tmpfs", 0, ""); err != nil {
		return err
	}
	if err := os.Mkdir(unifiedMount+"/unified", 0o755); err != nil {
		return err
	}
	return unix.Mount("none", unifiedMount+"/unified", "cgroup2", 0, "")
}
