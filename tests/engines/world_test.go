// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// world is the environment of a run: its folders, images and the daemons that it has started so far.
var world setup

type setup struct {
	cgroup  string // parent of every container's cgroup, in each hierarchy
	runtime string // the copy of the runtime that the engines call
	cgroups cgroupView
	daemons []*daemon
}

// prepare covers the engines' folders, copies the runtime and makes the images.
func (w *setup) prepare(cgroup, runtime string) error {
	if err := keepBus(coverAll); err != nil {
		return err
	}
	view, err := newCgroupView()
	if err != nil {
		return err
	}
	w.cgroup, w.cgroups, w.runtime = "/"+cgroup, view, filepath.Join(base, "bin", filepath.Base(runtime))
	if err := os.MkdirAll(filepath.Dir(w.runtime), 0o755); err != nil {
		return err
	}
	if err := copyFile(runtime, w.runtime, 0o755); err != nil {
		return err
	}
	if err := takePodman(filepath.Dir(w.runtime)); err != nil {
		return err
	}
	if err := setEnvironment(); err != nil {
		return err
	}
	return makeImages()
}

// takePodman puts the podman that ENGINES_PODMAN names, if it is set, in front of the host's in PATH. It makes a copy
// in dir, where an ordinary user can reach it.
func takePodman(dir string) error {
	from := os.Getenv("ENGINES_PODMAN")
	if from == "" {
		return nil
	}
	if err := copyFile(from, filepath.Join(dir, "podman"), 0o755); err != nil {
		return err
	}
	return os.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func coverAll() (err error) {
	for _, dir := range covered {
		err = errors.Join(err, cover(dir))
	}
	return err
}

// cover mounts a tmpfs on dir. If /etc/resolv.conf is a link to a file in dir, the file is copied: engines read it for
// host networking.
func cover(dir string) error {
	resolv, _ := filepath.EvalSymlinks("/etc/resolv.conf")
	content, err := os.ReadFile(resolv)
	if err := unix.Mount("none", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("cover %s with a tmpfs: %w", dir, err)
	}
	if err != nil || !strings.HasPrefix(resolv, dir+"/") {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(resolv), 0o755); err != nil {
		return err
	}
	return os.WriteFile(resolv, content, 0o644)
}

// setEnvironment gives every command a home and a temporary folder that vanish with the run, and makes sure that no
// command uses the caller's daemons.
func setEnvironment() error {
	for _, name := range []string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "CONTAINERD_ADDRESS", "NOTIFY_SOCKET"} {
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	home := filepath.Join(base, "home")
	return errors.Join(os.MkdirAll(home, 0o755), os.Setenv("HOME", home), os.Setenv("TMPDIR", home))
}

// copyFile copies the content of a file.
func copyFile(from, to string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// A daemon is a server that runs until the tests end.
type daemon struct {
	cmd  *exec.Cmd
	log  string
	done chan error
}

// startDaemon starts a server with its log in base, and waits until ready returns nil.
func (w *setup) startDaemon(ready func() error, argv ...string) (*daemon, error) {
	name := filepath.Base(argv[0])
	d := &daemon{cmd: exec.Command(argv[0], argv[1:]...), log: filepath.Join(base, name+".log"), done: make(chan error, 1)}
	log, err := os.Create(d.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.cmd.Stdout, d.cmd.Stderr = log, log
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w (tests/engines/run installs the engines)", err)
	}
	go func() { d.done <- d.cmd.Wait() }()
	w.daemons = append(w.daemons, d)
	return d, d.await(ready)
}

// await calls ready until it returns nil, for up to three minutes.
func (d *daemon) await(ready func() error) error {
	var err error
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); {
		if err = ready(); err == nil {
			return nil
		}
		select {
		case err := <-d.done:
			return fmt.Errorf("%s ended (%v):\n%s", d.cmd.Path, err, tail(d.log, 20))
		case <-time.After(100 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s is not ready after 3 min: %w\n%s", d.cmd.Path, err, tail(d.log, 20))
}

// stop stops the daemons, the last one first, and keeps their logs if ENGINES_LOGS names a folder.
func (w *setup) stop() error {
	var errs []error
	for i := len(w.daemons) - 1; i >= 0; i-- {
		d := w.daemons[i]
		_ = d.cmd.Process.Signal(unix.SIGTERM)
		select {
		case <-d.done:
		case <-time.After(20 * time.Second):
			_ = d.cmd.Process.Kill()
			errs = append(errs, fmt.Errorf("%s did not end within 20 s of SIGTERM", d.cmd.Path))
		}
		errs = append(errs, keepLog(d.log))
	}
	return errors.Join(errs...)
}

func keepLog(path string) error {
	dir := os.Getenv("ENGINES_LOGS")
	if dir == "" {
		return nil
	}
	target := filepath.Join(dir, filepath.Base(path))
	_ = os.Remove(target)
	return errors.Join(os.MkdirAll(dir, 0o755), copyFile(path, target, 0o644))
}

// tail returns the last n lines of a file.
func tail(path string, n int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
