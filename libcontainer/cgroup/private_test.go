// SPDX-License-Identifier: Apache-2.0

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

// v1 controllers that the host has not mounted are tested too, in hierarchies that are
// mounted in a mount namespace of the test. A hierarchy is gone after its cgroups are
// removed and it is unmounted.

// privateVar names the environment variable with the hierarchies to mount, separated by
// blanks. During the test their controllers are missing from cgroup v2 on the whole
// host; so the default is some that v2 does not have.
const privateVar = "CGROUP_TEST_V1"

func privateHierarchies() []string {
	if s := os.Getenv(privateVar); s != "" {
		return strings.Fields(s)
	}
	return []string{"net_cls,net_prio"}
}

// private runs the calling test again with more v1 hierarchies mounted. In the outer
// process, where the test is to return, it returns false.
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

// runPrivate mounts the hierarchies that it can; a test that needs another one skips
// itself.
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
	if err := isolate.DissolveUnmounted(); err != nil {
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
			continue // the host has mounted it
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

// besideUnified moves a cgroup v2 on /sys/fs/cgroup to /sys/fs/cgroup/unified, as on a
// hybrid host.
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
