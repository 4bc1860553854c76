// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// runCell runs one program of the suite in a cell and judges its output.
func runCell(dir, program string, o options, h *host) result {
	out, err := os.CreateTemp("", "skiff-oci-"+program+".*.out")
	if err != nil {
		return result{program: program, err: err}
	}
	defer os.Remove(out.Name())
	defer out.Close()
	began := time.Now()
	err = cell(dir, program, out, o, h)
	text, readErr := os.ReadFile(out.Name())
	if err == nil {
		err = readErr
	}
	r := judge(program, string(text), err)
	r.took = time.Since(began)
	return r
}

// cell starts the init of a cell, moves it into new cgroups, lets it continue and waits
// for it.
func cell(dir, program string, out *os.File, o options, h *host) error {
	name := fmt.Sprintf("skiff-oci-%d-%s", os.Getpid(), program)
	groups, err := makeGroups(h, name)
	defer removeGroups(groups)
	if err != nil {
		return err
	}
	gate, open, err := os.Pipe()
	if err != nil {
		return err
	}
	args := []string{cellArg, h.view, dir, program, o.runtime, o.sysroot}
	for _, x := range h.hierarchies {
		args = append(args, x.Name+"="+x.Options)
	}
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = []*os.File{gate} // fd 3
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		Pdeathsig:  unix.SIGKILL,
	}
	err = cmd.Start()
	gate.Close()
	if err != nil {
		open.Close()
		return fmt.Errorf("start a cell: %w", err)
	}
	// When the init dies, the kernel kills every process of its pid namespace.
	timer := time.AfterFunc(o.timeout, func() { cmd.Process.Kill() })
	err = admit(groups, cmd.Process.Pid, open)
	waitErr := cmd.Wait()
	if !timer.Stop() {
		return fmt.Errorf("did not end within %s", o.timeout)
	}
	if err != nil {
		return err // the cell ended because it was not admitted
	}
	return waitErr
}

// admit moves the init of a cell into its cgroups and then opens the gate. If it cannot
// be moved, the gate stays shut: in the host's cgroups, the programs would change those.
func admit(groups []string, pid int, gate io.WriteCloser) error {
	if err := joinGroups(groups, pid); err != nil {
		return errors.Join(fmt.Errorf("move a cell into its cgroups: %w", err), gate.Close())
	}
	_, err := gate.Write([]byte{1})
	return errors.Join(err, gate.Close())
}

// admitted waits at the gate and reports whether it was opened.
func admitted(gate io.Reader) bool {
	n, _ := gate.Read(make([]byte, 1))
	return n == 1
}

func makeGroups(h *host, name string) ([]string, error) {
	var made []string
	for _, x := range h.hierarchies {
		dir := filepath.Join(x.Mount, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return made, err
		}
		made = append(made, dir)
		// A new cgroup of the v1 cpuset controller has no CPU and no memory node:
		// no process can join it.
		for _, f := range []string{"cpuset.cpus", "cpuset.mems"} {
			b, err := os.ReadFile(filepath.Join(x.Mount, f))
			if err != nil || h.view != "v1" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, f), b, 0); err != nil {
				return made, err
			}
		}
	}
	return made, nil
}

func joinGroups(groups []string, pid int) error {
	for _, g := range groups {
		if err := os.WriteFile(filepath.Join(g, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			return err
		}
	}
	return nil
}

// removeGroups removes the cgroups and all below them. Their processes are dead by now,
// but the kernel may take a moment to remove them.
func removeGroups(groups []string) {
	for _, g := range groups {
		for range 50 {
			if removeTree(g) == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // gone
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return unix.Rmdir(dir)
}

// cellMain is the init of a cell. It must be pid 1 of a new pid namespace, in a new mount
// namespace. It is in its new cgroups when a byte comes from fd 3.
func cellMain(args []string) int {
	runtime.LockOSThread() // unshare affects the calling thread only
	view, dir, program, rt, sysroot := args[0], args[1], args[2], args[3], args[4]
	gate := os.NewFile(3, "gate")
	if !admitted(gate) {
		fmt.Fprintln(os.Stderr, "cell: not moved into its cgroups")
		return 1
	}
	gate.Close()
	if err := furnish(view, sysroot, args[5:]); err != nil {
		fmt.Fprintln(os.Stderr, "cell:", err)
		return 1
	}
	return runProgram(dir, program, rt)
}

// furnish gives the cell its own /proc, /run and /sys/fs/cgroup.
func furnish(view, sysroot string, hierarchies []string) error {
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("unshare the cgroup namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make / private: %w", err)
	}
	if sysroot != "" {
		if err := mount(filepath.Join(sysroot, "usr"), "/usr", "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	if err := mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NOEXEC|unix.MS_NODEV, ""); err != nil {
		return err
	}
	if err := mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return err
	}
	if err := os.Mkdir(bundles, 0o1777); err != nil {
		return err
	}
	if err := unmountCgroups(); err != nil {
		return err
	}
	if view == "v2" {
		return furnishV2()
	}
	return furnishV1(hierarchies)
}

// unmountCgroups unmounts the host's hierarchies: the suite takes the first one in
// mountinfo as the place of them all.
func unmountCgroups() error {
	v1, v2, err := mountedHierarchies()
	if err != nil {
		return err
	}
	for _, x := range append(v1, v2...) {
		if err := unix.Unmount(x.Mount, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", x.Mount, err)
		}
	}
	return nil
}

const bundles = "/run/bundles" // TMPDIR of the programs, where they put their bundles

func furnishV2() error {
	if err := mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""); err != nil {
		return err
	}
	// Controllers can be enabled only for the children of a cgroup that has no
	// processes.
	leaf := "/sys/fs/cgroup/suite"
	if err := os.Mkdir(leaf, 0o755); err != nil {
		return err
	}
	return joinGroups([]string{leaf}, os.Getpid())
}

func furnishV1(hierarchies []string) error {
	if err := mount("tmpfs", "/sys/fs/cgroup", "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	for _, x := range hierarchies {
		name, options, _ := strings.Cut(x, "=")
		dir := filepath.Join("/sys/fs/cgroup", name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := mount("cgroup", dir, "cgroup", 0, options); err != nil {
			return err
		}
	}
	return nil
}

func mount(source, target, fstype string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, fstype, flags, data); err != nil {
		return fmt.Errorf("mount %s (%s) on %s: %w", source, data, target, err)
	}
	return nil
}

// runProgram starts the program and, as an init has to, reaps processes until it ends.
func runProgram(dir, program, rt string) int {
	// Not appended: if a variable is there twice, Go programs take the first value.
	if err := errors.Join(os.Setenv("RUNTIME", rt), os.Setenv("TMPDIR", bundles)); err != nil {
		fmt.Fprintln(os.Stderr, "cell:", err)
		return 1
	}
	attr := &syscall.ProcAttr{
		Dir:   dir,
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
	}
	path := filepath.Join(dir, program)
	pid, err := syscall.ForkExec(path, []string{path}, attr)
	if err != nil {
		fmt.Fprintf(os.Stderr, "cell: exec %s: %v\n", path, err)
		return 1
	}
	for {
		var ws syscall.WaitStatus
		got, err := syscall.Wait4(-1, &ws, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR) || got != pid && err == nil:
		case err != nil:
			fmt.Fprintln(os.Stderr, "cell: wait:", err)
			return 1
		case ws.Signaled():
			return 128 + int(ws.Signal())
		default:
			return ws.ExitStatus()
		}
	}
}
