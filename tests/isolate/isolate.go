// SPDX-License-Identifier: Apache-2.0

// Package isolate runs a test binary where a container runtime that kills or unmounts too
// much can only hurt the tests: in its own pid, mount and cgroup namespaces, with its own
// /dev, and with only cgroup v2 on /sys/fs/cgroup unless SKIFF_TEST_V1 asks for v1 as
// well.
//
//	func TestMain(m *testing.M) { os.Exit(isolate.Main(m)) }
//
// The binary starts itself twice more. The first process is the init of the namespaces:
// it mounts proc, devices and cgroup2, starts the second and reaps orphans, since a
// container whose process is a zombie would look like a stopped one. The second runs the
// tests.
package isolate

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// stage is the environment variable that tells a process which of the three it is.
const stage = "SKIFF_TEST_STAGE"

const cgroupRoot = "/sys/fs/cgroup"

const skiffRoot = "/run/skiff"

// Main runs the tests of m in isolation and returns the exit status for os.Exit. If the
// caller is not root, it runs them without isolation, and [Require] skips those that need
// it.
func Main(m interface{ Run() int }) int {
	s := os.Getenv(stage)
	var err error
	code := 1
	switch {
	case s == "init":
		code, err = runInit()
	case s == "test", os.Geteuid() != 0:
		return m.Run()
	default:
		code, err = runOuter()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "isolate:", err)
		return 1
	}
	return code
}

// Active reports whether the calling process is in isolation.
func Active() bool { return os.Getenv(stage) == "test" }

// Require skips a test that may run only in isolation.
func Require(t testing.TB) {
	t.Helper()
	if !Active() {
		t.Skipf("needs root for namespaces of its own: the effective uid is %d", os.Geteuid())
	}
}

// runOuter creates a cgroup, starts the init in it and removes it afterwards. It mounts
// the cgroup v2 tree in a mount namespace of this thread only, since a host with cgroup
// v1 may have mounted that tree anywhere, or nowhere.
func runOuter() (code int, err error) {
	runtime.LockOSThread() // never unlocked: this thread has a mount namespace of its own
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return 1, fmt.Errorf("unshare the mount namespace: %w", err)
	}
	if err := privateMounts(); err != nil {
		return 1, err
	}
	if os.Getenv(legacy) != "" {
		return outerLegacy()
	}
	if err := showUnified(); err != nil {
		return 1, err
	}
	enableControllers(cgroupRoot)
	dir := fmt.Sprintf("%s/skiff-test.%d", cgroupRoot, os.Getpid())
	if err := os.Mkdir(dir, 0o755); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, removeCgroup(dir)) }()
	return startInit(dir)
}

// showUnified mounts the cgroup v2 tree on /sys/fs/cgroup, unless it is there already: a
// second mount would be refused, and would drop the options that the host's init has
// mounted it with.
func showUnified() error {
	var fs unix.Statfs_t
	if err := unix.Statfs(cgroupRoot, &fs); err == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return nil
	}
	return mountOn("cgroup2", cgroupRoot)
}

func startInit(cgroup string) (int, error) {
	d, err := os.Open(cgroup)
	if err != nil {
		return 1, err
	}
	defer d.Close()
	cmd := again("init")
	cmd.SysProcAttr = &unix.SysProcAttr{
		Cloneflags:   unix.CLONE_NEWPID | unix.CLONE_NEWNS,
		Unshareflags: unix.CLONE_NEWCGROUP, // after the clone, so its root is the new cgroup
		UseCgroupFD:  true,
		CgroupFD:     int(d.Fd()),
		Pdeathsig:    unix.SIGKILL,
	}
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if code := exit.ExitCode(); code >= 0 {
			return code, nil
		}
	}
	if err != nil {
		return 1, fmt.Errorf("init: %w", err)
	}
	return 0, nil
}

// again returns the command that starts this binary once more, for another stage.
func again(name string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), stage+"="+name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd
}

// runInit prepares the namespaces, starts the tests and reaps all orphans until the tests
// end.
func runInit() (int, error) {
	if err := prepare(); err != nil {
		return 1, err
	}
	cmd := again("test")
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 1, fmt.Errorf("wait: %w", err)
		case pid == cmd.Process.Pid && ws.Signaled():
			return 1, fmt.Errorf("the tests were killed: %v", ws.Signal())
		case pid == cmd.Process.Pid:
			return ws.ExitStatus(), nil
		}
	}
}

// prepare mounts what the new namespaces need. It leaves no process in the root of the
// cgroup namespace, which otherwise could not enable controllers for its children.
func prepare() error {
	if err := privateMounts(); err != nil {
		return err
	}
	if err := mountOn("proc", "/proc"); err != nil {
		return err
	}
	if err := ownDevices(); err != nil {
		return err
	}
	// Tests must not see the containers in the host's default root, or change them.
	if err := os.MkdirAll(skiffRoot, 0o700); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", skiffRoot, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=700"); err != nil {
		return fmt.Errorf("mount a tmpfs on %s: %w", skiffRoot, err)
	}
	for unix.Unmount(cgroupRoot, unix.MNT_DETACH) == nil {
	}
	if err := mountCgroups(); err != nil {
		return err
	}
	harness := Unified() + "/harness"
	if err := os.Mkdir(harness, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(harness+"/cgroup.procs", []byte("0"), 0); err != nil {
		return err
	}
	enableControllers(Unified())
	return nil
}

func mountCgroups() error {
	if os.Getenv(legacy) == "" {
		return mountOn("cgroup2", cgroupRoot)
	}
	all, err := hierarchies()
	if err != nil {
		return err
	}
	return mountAll(all)
}

func privateMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	return nil
}

func mountOn(fstype, dir string) error {
	if err := unix.Mount(fstype, dir, fstype, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount %s on %s: %w", fstype, dir, err)
	}
	return nil
}

// enableControllers enables all available controllers of a cgroup for its children. Where
// one cannot be enabled, the tests that need it skip.
func enableControllers(cgroup string) {
	have, err := os.ReadFile(cgroup + "/cgroup.controllers")
	if err != nil {
		return
	}
	for _, c := range strings.Fields(string(have)) {
		_ = os.WriteFile(cgroup+"/cgroup.subtree_control", []byte("+"+c), 0)
	}
}

// removeCgroup removes a cgroup and all below it. Its processes were killed when the pid
// namespace ended, but it may take a moment until they are gone.
func removeCgroup(dir string) error {
	var err error
	for range 100 {
		if err = removeTree(dir); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

// removeTree works with descriptors: a test may have made a tree with paths longer than
// PATH_MAX.
func removeTree(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := sys.RemoveDirectories(int(f.Fd())); err != nil {
		return err
	}
	return unix.Rmdir(dir)
}
