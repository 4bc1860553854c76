// SPDX-License-Identifier: Apache-2.0

// Package script runs the txtar scripts in testdata against the built skiff. Each script
// tests one behaviour. Besides testscript's own commands, there are these:
//
//	[!] skiff [-code N] ARG...   run it with this script's --root; fails if the exit status is not 0 (or N)
//	bundle [-bare] DIR [PATCH]   make a bundle with busybox in its rootfs (-bare: with an empty rootfs)
//	patch FILE PATCH             apply a JSON merge patch to FILE; a key "name+" appends to the list name
//	[!] json FILE PATH [VALUE]   compare the value at PATH (a.b[0].c) of FILE (or stdout, stderr) with a JSON value or a bare word
//	status ID STATUS             wait until the container has that status
//	listen SOCKET                make a socket that file descriptors can be sent to
//	received SOCKET              print what was sent: its name, its link in /proc, and the output of a terminal or the fdinfo of a pidfd
//	manager [-deaf] SOCKET       start a service manager, and set NOTIFY_SOCKET; with -deaf, it reads nothing
//	told TEXT                    wait until the manager has received TEXT, and print all that it has received
//	asuser [-delegated]          from here on an ordinary user runs skiff, bundle, status and clean; with -delegated, $CGROUP is the user's
//	[!] userexec PROGRAM ARG...  run another program as that user
//	traced FILE                  check a file of --trace, and print its spans: "TRACK: NAME; NOTE; FIELD; ERROR"
//	clean                        check that no container, cgroup, mount or process of the script is left
//
// The program seccompagent is contrib/seccompagent. sdnotify sends messages to a manager,
// meddle tries to change all inodes that it can reach, and syscall makes system calls by
// their numbers.
//
// $ROOT is the script's state directory. $CGROUP is the path of the script's cgroup,
// below which bundle puts the containers, and $CGROUP_b is, after "bundle b", the
// directory of that container's cgroup. $USER is the name of the user who calls skiff.
// $SYSTEMD is true if cgroups are made through systemd, otherwise false; it is for the
// flag --systemd-cgroup where another program runs skiff. All containers in $ROOT are
// deleted at the end.
//
// Conditions:
//
//	[containers]         containers can be run
//	[root]               root calls skiff
//	[can:NAME]           the caller may do something that needs privileges on most hosts (can_test.go)
//	[users]              an ordinary user can make user namespaces, and there is newuidmap
//	[cgroups]            the caller may make cgroups
//	[namespace:TYPE]     the kernel has that type of namespace
//	[controllers]        cgroup v2 has any controller
//	[controller:NAME]    cgroup v2 has that controller
//	[legacy:NAME]        that controller is in a cgroup v1 hierarchy
//	[rtgroups]           the cpu controller of cgroup v1 limits real-time policies
//	[rdma]               an RDMA device can be limited
//	[pressure]           the kernel has pressure stall information
//	[file:PATH]          the file exists
//	[pipe:BYTES]         a pipe may have that size
//	[realtime]           a process may have a real-time policy
//	[cpus:N]             there are at least N CPUs
//	[numa]               the kernel supports NUMA
//	[apparmor]           AppArmor labels can be tried
//	[selinux]            SELinux labels can be tried
//	[selinux:enforcing]  and the policy is enforced
//	[criu:FEATURE]       criu check knows that feature; inet: CRIU can dump internet sockets; selinux: and labels
//	[systemd]            cgroups are made through systemd: the environment variable SKIFF_DRIVER is systemd
//
// If the environment variable SKIFF_CALLER is user, an ordinary user calls skiff in all
// scripts (caller_test.go): bundle makes what spec --rootless writes, with the ids that
// /etc/subuid and /etc/subgid give to the user, and systemctl talks to the user's own
// systemd.
package script

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/skiff-oci/skiff/libcontainer/lsm"
	"github.com/skiff-oci/skiff/tests/isolate"
	"golang.org/x/sys/unix"
)

// TestMain builds the programs that the scripts run, before the tests enter their
// namespaces. The environment variables SKIFF, SECCOMPAGENT, SDNOTIFY, MEDDLE and SYSCALL
// may name programs that are built already. PROGRAMS names a folder in which to build and
// keep the programs; those that it has are not built again, so Go is not needed.
func TestMain(m *testing.M) { os.Exit(testMain(m)) }

// programs has the programs that scripts find in their PATH.
var programs = []string{"skiff", "seccompagent", "sdnotify", "meddle", "syscall"}

func testMain(m *testing.M) int {
	err := allowDevices()
	if err == nil && os.Getenv(scratchVariable) == "" {
		var remove func()
		if remove, err = makeScratch(); err == nil {
			defer remove()
		}
	}
	dir := os.Getenv("PROGRAMS")
	if dir == "" {
		dir = os.Getenv(scratchVariable)
	}
	if err == nil {
		err = errors.Join(build("SKIFF", "../..", dir), build("SECCOMPAGENT", "../../contrib/seccompagent", dir), build("SDNOTIFY", "./sdnotify", dir),
			build("MEDDLE", "./meddle", dir), build("SYSCALL", "./syscall", dir))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := isolate.Main(caller{m})
	if err := stopSlices(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// allowDevices moves the scripts if the folder for temporary files is on a file system
// mounted with nodev, as /tmp is since Debian 13.
func allowDevices() error {
	var fs unix.Statfs_t
	if err := unix.Statfs(os.TempDir(), &fs); err != nil {
		return fmt.Errorf("statfs %s: %w", os.TempDir(), err)
	}
	if fs.Flags&unix.ST_NODEV != 0 {
		return os.Setenv("TMPDIR", "/var/tmp")
	}
	return nil
}

// build builds a program unless it is built already, and sets the environment variable to
// its path.
func build(variable, source, dir string) error {
	if os.Getenv(variable) != "" {
		return nil
	}
	bin := filepath.Join(dir, strings.ToLower(variable))
	if _, err := os.Stat(bin); err == nil {
		return os.Setenv(variable, bin)
	}
	cmd := exec.Command("go", "build", "-tags", "netgo osusergo urfave_cli_no_docs cparts", "-o", bin, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return os.Setenv(variable, bin)
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		RequireUniqueNames: true,
		Setup:              setup,
		Condition:          condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"skiff":  cmdSkiff,
			"bundle": cmdBundle,
			"patch":  cmdPatch,
			"json":   cmdJSON,
			"status": cmdStatus,
			"clean":  cmdClean,

			"asuser":   cmdAsUser,
			"userexec": cmdUserExec,
			"listen":   cmdListen,
			"received": cmdReceived,
			"manager":  cmdManager,
			"told":     cmdTold,
			"traced":   cmdTraced,
		},
	})
}

// pipeOf reports whether a pipe may have a size, in bytes.
func pipeOf(size string) (bool, error) {
	n, err := strconv.Atoi(size)
	if err != nil {
		return false, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return false, err
	}
	defer r.Close()
	defer w.Close()
	_, err = unix.FcntlInt(r.Fd(), unix.F_SETPIPE_SZ, n)
	return err == nil, nil
}

func condition(cond string) (bool, error) {
	name, arg, _ := strings.Cut(cond, ":")
	switch name {
	case "containers", "isolated":
		return containers(), nil
	case "can":
		return conditionCan(arg)
	case "kernel": // its release, such as 6.2, or newer
		return kernelFrom(arg)
	case "root":
		return os.Geteuid() == 0, nil
	case "namespace":
		_, err := os.Stat("/proc/self/ns/" + arg)
		return err == nil, nil
	case "users":
		return ordinaryUsers() == "", nil
	case "systemd":
		return throughSystemd(), nil
	case "pipe": // the size in bytes
		return pipeOf(arg)
	case "criu":
		return criuHas(arg), nil
	case "cgroups":
		return !byUser() || ownCgroup != "", nil
	case "legacy":
		_, err := os.Stat("/sys/fs/cgroup/" + arg + "/cgroup.clone_children")
		return err == nil, nil
	case "file":
		_, err := os.Stat(arg)
		return err == nil, nil
	case "rdma":
		devices, err := os.ReadDir("/sys/class/infiniband")
		if err != nil || len(devices) == 0 {
			return false, nil
		}
		v1, _ := condition("legacy:rdma")
		v2, err := condition("controller:rdma")
		return v1 || v2, err
	case "pressure":
		_, err := os.ReadFile("/proc/pressure/cpu")
		return err == nil, nil
	case "rtgroups":
		_, err := os.Stat("/sys/fs/cgroup/cpu/cpu.rt_runtime_us")
		return err == nil, nil
	case "controllers":
		all, err := controllers()
		return len(all) > 0, err
	case "controller":
		all, err := controllers()
		return slices.Contains(all, arg), err
	case "realtime":
		return exec.Command("chrt", "-f", "1", "true").Run() == nil, nil
	case "cpus":
		n, err := strconv.Atoi(arg)
		return runtime.NumCPU() >= n, err
	case "apparmor":
		return lsm.AppArmor(), nil
	case "selinux":
		enforce, _ := os.ReadFile("/sys/fs/selinux/enforce")
		return lsm.SELinux() && (arg != "enforcing" || string(enforce) == "1"), nil
	case "numa":
		_, err := os.Stat("/proc/self/numa_maps")
		return err == nil, nil
	}
	return false, errors.New("unknown condition")
}

// controllers returns the controllers of cgroup v2 that a container can have.
func controllers() ([]string, error) {
	if byUser() && ownCgroup == "" {
		return nil, nil
	}
	b, err := os.ReadFile(filepath.Join(isolate.Unified(), ownCgroup, "cgroup.controllers"))
	if isolate.Legacy() && errors.Is(err, fs.ErrNotExist) {
		return nil, nil // there is only cgroup v1
	}
	return strings.Fields(string(b)), err
}

// setup gives each script a state directory, a cgroup and a PATH with the programs.
func setup(e *testscript.Env) error {
	bin := filepath.Join(e.WorkDir, ".bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		return err
	}
	for _, name := range programs {
		program, err := filepath.Abs(os.Getenv(strings.ToUpper(name)))
		if err != nil {
			return err
		}
		if err := os.Symlink(program, filepath.Join(bin, name)); err != nil {
			return err
		}
	}
	if err := skipCRIU(e); err != nil {
		return err
	}
	if why := skipUser(e.WorkDir); why != "" {
		e.T().Skip(why)
	}
	if err := skipLegacy(e); err != nil {
		return err
	}
	w := newWorld(e.WorkDir, filepath.Base(e.WorkDir))
	w.sockets = make(map[string]*net.UnixListener)
	if w.systemd {
		if err := skipCgroupPaths(e); err != nil {
			return err
		}
		if err := userSystemctl(bin); err != nil {
			return err
		}
	}
	e.Values[worldKey{}] = w
	e.Setenv("ROOT", w.root)
	e.Setenv("CGROUP", w.cgroup)
	e.Setenv("SYSTEMD", strconv.FormatBool(w.systemd))
	me, err := user.Current()
	if err != nil {
		return err
	}
	e.Setenv("USER", me.Username)
	e.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	e.Defer(func() {
		if err := w.remove(); err != nil {
			e.T().Fatal("at the end of the script:", err)
		}
	})
	return nil
}

// userSystemctl makes systemctl in a script talk to the systemd of the ordinary user, if
// one calls skiff in all scripts.
func userSystemctl(bin string) error {
	path, err := exec.LookPath("systemctl")
	if !byUser() || err != nil {
		return nil
	}
	text := fmt.Sprintf("#!/bin/sh\nXDG_RUNTIME_DIR=%s exec %s --user \"$@\"\n", userRuntime(), path)
	return os.WriteFile(filepath.Join(bin, "systemctl"), []byte(text), 0o755)
}

// skipLegacy skips a script about cgroup v1 if there is none. If there is, it skips
// scripts that need the mount point of cgroup v2.
func skipLegacy(e *testscript.Env) error {
	name := strings.TrimPrefix(filepath.Base(e.WorkDir), "script-")
	if about := strings.HasPrefix(name, "legacy-"); about != isolate.Legacy() && about {
		e.T().Skip("it is about cgroup v1, and runs where SKIFF_TEST_V1 is set, for root")
	} else if about || !isolate.Legacy() {
		return nil
	}
	text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		return err
	}
	for _, word := range []string{"/sys/fs/cgroup", "CGROUP_", "-delegated"} {
		if bytes.Contains(text, []byte(word)) {
			e.T().Skip("it is about cgroup v2 alone (" + word + ")")
		}
	}
	return nil
}

// skipCgroupPaths skips a script that uses the path of its cgroup: with systemd,
// cgroupsPath is not a path.
func skipCgroupPaths(e *testscript.Env) error {
	name := strings.TrimPrefix(filepath.Base(e.WorkDir), "script-")
	if strings.HasPrefix(name, "systemd-") {
		return nil
	}
	text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		return err
	}
	for _, word := range []string{`\$CGROUP\b`, `cgroupsPath": *"`, "-delegated"} {
		if regexp.MustCompile(word).Match(text) {
			e.T().Skip("it is about a cgroup's path (" + word + ")")
		}
	}
	return nil
}
