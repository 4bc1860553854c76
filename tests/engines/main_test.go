// SPDX-License-Identifier: Apache-2.0

//go:build engines

// Package engines tests a runtime with containerd, docker, podman, buildkit and the CRI, as the kubelet uses it. The
// daemons are real, with their own folders; the images are made from busybox; there is no network. RUNTIME names the
// runtime (default: the skiff of this tree), so the same tests also show what an engine expects of a runtime that is
// known to work. ENGINES_CRI names the folder with what cri/build builds, ENGINES_BUILDKIT that of buildkit/build:
// Debian has no containerd 2, no crictl and no buildkit.
//
// Nothing outlives a run: the test binary starts itself again in its own mount namespace, where a tmpfs covers every
// folder that an engine writes to, and in its own cgroup, which is killed and removed at the end.
package engines

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/skiff-oci/skiff/tests/isolate"
	"golang.org/x/sys/unix"
)

// insideEnv is set in the second process of the test binary, which is in the namespace. Its value is the name of the
// cgroup.
const insideEnv = "ENGINES_CGROUP"

func TestMain(m *testing.M) {
	// If nohup(1) has made SIGHUP ignored, the engines and their containers would inherit that. A signal that is
	// caught is reset to its default by execve(2).
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP)
	switch {
	case filepath.Base(os.Args[0]) == "probe":
		os.Exit(probe(os.Args[1:]))
	case os.Getenv(insideEnv) != "":
		os.Exit(inside(m))
	}
	code, err := outside()
	if err != nil {
		fmt.Fprintln(os.Stderr, "engines:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// outside prepares the cgroup and the folders that are covered, runs the tests, and removes both afterwards, whatever
// the result of the tests.
func outside() (code int, err error) {
	if os.Geteuid() != 0 {
		return 1, errors.New("needs root")
	}
	if err := isolate.DissolveUnmounted(); err != nil {
		return 1, err
	}
	box, err := newSandbox()
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, box.close()) }()
	cmd, err := box.start()
	if err != nil {
		return 1, err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGQUIT, unix.SIGHUP)
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}

// start runs this binary again in the sandbox.
func (s *sandbox) start() (*exec.Cmd, error) {
	dir, err := os.Open(s.harness())
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), insideEnv+"="+s.name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Unshareflags: unix.CLONE_NEWNS, // package syscall then also makes every mount private
		UseCgroupFD:  true,
		CgroupFD:     int(dir.Fd()),
	}
	return cmd, cmd.Start()
}

// inside prepares the namespace, runs the tests and stops the daemons.
func inside(m *testing.M) int {
	runtime, err := findRuntime()
	if err == nil {
		err = world.prepare(os.Getenv(insideEnv), runtime)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "engines:", err)
		return 1
	}
	fmt.Printf("engines: runtime %s, cgroups by %s: %s\n", runtime, driver(), world.cgroups)
	code := m.Run()
	if err := world.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "engines:", err)
		code = max(code, 1)
	}
	return code
}

// findRuntime returns the absolute path of the runtime under test.
func findRuntime() (string, error) {
	name := os.Getenv("RUNTIME")
	if name == "" {
		name = filepath.Join("..", "..", "skiff")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("no runtime to test: %w (build it with make, or set RUNTIME to an absolute path)", err)
	}
	return filepath.Abs(path)
}
