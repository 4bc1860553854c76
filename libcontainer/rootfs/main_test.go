// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The tests run as root of a user namespace with its own mount namespace, inside another
// one that has locked a mount. So they can clone mounts whoever runs them, and there is a
// mount with a flag that they cannot clear.
//
//	outer -> locker, mounts on lockedDir -> tests
//
// Where the host allows no such namespaces, the tests run without, and those that need
// them are skipped with the reason ([needNamespaces]).
const (
	stageVariable  = "SKIFF_ROOTFS_STAGE"
	lockedVariable = "SKIFF_ROOTFS_LOCKED" // a directory: read-only and nosuid, both locked
)

var noNamespaces error

func TestMain(m *testing.M) { os.Exit(main(m)) }

func main(m *testing.M) int {
	switch os.Getenv(stageVariable) {
	case "wait": // for the end of the input, see [namespaceFile]
		_, _ = io.Copy(io.Discard, os.Stdin)
		return 0
	case "tests":
		return m.Run()
	case "locker":
		if err := lockDirectory(os.Getenv(lockedVariable)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return noStage
		}
		code, err := enter("tests")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return noStage
		}
		return code
	}
	dir, err := os.MkdirTemp("", "skiff-rootfs")
	if err != nil {
		noNamespaces = err
		return m.Run()
	}
	defer os.Remove(dir)
	os.Setenv(lockedVariable, dir)
	code, err := enter("locker")
	if err == nil && code != noStage {
		return code
	}
	if noNamespaces = err; err == nil {
		noNamespaces = errors.New("a user namespace may not mount here")
	}
	return m.Run()
}

// noStage is the exit status of a process that could not get as far as the tests.
const noStage = 77

// enter runs this program again as root of new namespaces.
func enter(name string) (code int, err error) {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), stageVariable+"="+name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = inNamespaces(syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS)
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return max(1, exit.ExitCode()), nil
	}
	return 0, err
}

func inNamespaces(flags uintptr) *syscall.SysProcAttr {
	one := func(id int) []syscall.SysProcIDMap { return []syscall.SysProcIDMap{{HostID: id, Size: 1}} }
	return &syscall.SysProcAttr{Cloneflags: flags, UidMappings: one(os.Getuid()), GidMappings: one(os.Getgid()), Pdeathsig: syscall.SIGKILL}
}

// lockDirectory mounts a file system on dir with flags that a user namespace below
// cannot clear.
func lockDirectory(dir string) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		return err
	}
	return unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID, "")
}

func needNamespaces(t *testing.T) {
	t.Helper()
	if noNamespaces != nil {
		t.Skipf("no user namespace to mount in: %v", noNamespaces)
	}
}

// namespaceFile returns a new user namespace to map ids with.
func namespaceFile(t *testing.T) *os.File {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), stageVariable+"=wait")
	cmd.SysProcAttr = inNamespaces(syscall.CLONE_NEWUSER)
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { stdin.Close(); _ = cmd.Wait() }()
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// mounted returns a directory with a new tmpfs on it.
func mounted(t *testing.T) string {
	t.Helper()
	needNamespaces(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}
