// SPDX-License-Identifier: Apache-2.0

package script

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/tests/isolate"
	"golang.org/x/sys/unix"
)

// hanging is a call of skiff that does not end by itself, since a hook or another process
// keeps it waiting.
type hanging struct {
	name   string
	hook   string     // the hook that hangs
	patch  string     // or a patch for config.json that makes the call hang
	before [][]string // calls before it, which succeed
	args   []string
}

func hangings() (all []hanging) {
	create, start := []string{"create", "--bundle", "$B", "web"}, []string{"start", "web"}
	for _, hook := range []string{"prestart", "createRuntime", "createContainer"} {
		all = append(all, hanging{name: "create", hook: hook, args: create})
	}
	for _, hook := range []string{"startContainer", "poststart"} {
		all = append(all,
			hanging{name: "start", hook: hook, before: [][]string{create}, args: start},
			hanging{name: "run", hook: hook, args: []string{"run", "--detach", "--bundle", "$B", "web"}})
	}
	return append(all,
		hanging{name: "foreground", hook: "createRuntime", args: []string{"run", "--bundle", "$B", "web"}},
		hanging{name: "delete", hook: "poststop", before: [][]string{create}, args: []string{"delete", "--force", "web"}},
		// The seccomp agent never answers, so the container's first process
		// cannot accept the connection of start.
		hanging{name: "agent", before: [][]string{create}, args: start, patch: `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW",
			"listenerPath": "$L", "syscalls": [{"names": ["accept4"], "action": "SCMP_ACT_NOTIFY"}]}}}`},
		// Nobody accepts the connection for the terminal.
		hanging{name: "console", args: []string{"create", "--console-socket", "$F", "--bundle", "$B", "web"}, patch: `{"process": {"terminal": true}}`})
}

// hangTime is how long delete --force may take while another call hangs, and then that
// call until it ends. On a machine that is not busy it takes about 0.1 s.
const hangTime = 8 * time.Second

// TestHang checks that delete --force removes a container while another call hangs, and
// that this call and all processes of the hook end.
func TestHang(t *testing.T) {
	isolate.Require(t)
	for _, h := range hangings() {
		t.Run(h.name+"-"+h.hook, func(t *testing.T) {
			w, before, call := hang(t, h, "sleep 4711 & wait")
			begun := time.Now()
			deleteForced(t, w)
			took := time.Since(begun)
			t.Logf("delete --force took %v", took)
			if took > hangTime {
				t.Errorf("delete --force took %v", took)
			}
			if h.hook == "poststop" { // delete --force does not end a poststop hook
				if err := call.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				killAll(t, "4711")
			}
			awaitEnd(t, call)
			nothingLeft(t, w, before)
		})
	}
}

// TestHangKilled kills a call that hangs. The hook must die with it, and delete --force
// must remove what is left. A poststop hook then runs again, but does not hang.
func TestHangKilled(t *testing.T) {
	isolate.Require(t)
	for _, h := range hangings() {
		t.Run(h.name+"-"+h.hook, func(t *testing.T) {
			killed := filepath.Join(t.TempDir(), "killed")
			w, before, call := hang(t, h, "test -e "+killed+" || exec sleep 4711")
			if err := call.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			awaitEnd(t, call)
			if err := os.WriteFile(killed, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			await(t, "the end of the hook", func() bool { return len(running("4711")) == 0 })
			deleteForced(t, w)
			nothingLeft(t, w, before)
		})
	}
}

// TestHangTaken runs delete --force while a process other than skiff holds the
// container's lock. skiff must not kill that process, but name it, while it waits and
// when it gives up.
func TestHangTaken(t *testing.T) {
	isolate.Require(t)
	w, _, call := hang(t, hanging{args: []string{"create", "--bundle", "$B", "web"}}, "true")
	awaitEnd(t, call)
	c := exec.Command("flock", filepath.Join(w.root, "web"), "sleep", "4711")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Skip(err)
	}
	defer func() { _ = unix.Kill(-c.Process.Pid, unix.SIGKILL); _ = c.Wait() }()
	await(t, "flock", func() bool { return len(running("4711")) > 1 })
	r, err := w.run(w.work, os.Environ(), "delete", "--force", "web")
	if err != nil || r.code != 1 {
		t.Errorf("%v, %v", r, err)
	}
	for _, phrase := range []string{"waiting for process %d (flock ", "which is still held by process %d (flock "} {
		if want := fmt.Sprintf(phrase, c.Process.Pid); strings.Count(r.stderr, want) != 1 {
			t.Errorf("%s, want %q", r.stderr, want)
		}
	}
}

// hang starts a call of skiff, and returns when the call hangs. If it is to hang in a
// hook, the script is that hook.
func hang(t *testing.T, h hanging, script string) (w *world, before []string, call *exec.Cmd) {
	t.Helper()
	dir := t.TempDir()
	w = newWorld(dir, "script-hang")
	t.Cleanup(func() {
		if err := w.remove(); err != nil {
			t.Error(err)
		}
	})
	patch := `{"process": {"args": ["sleep", "4712"]}}`
	if h.hook != "" {
		patch = fmt.Sprintf(`{"process": {"args": ["sleep", "4712"]}, "hooks": {%q: [{"path": "/bin/sh", "args": ["sh", "-c", %q], "env": ["PATH=/bin"]}]}}`, h.hook, script)
	}
	bundle := filepath.Join(dir, "b")
	names := strings.NewReplacer("$B", bundle, "$L", listener(t, dir, "l", 16), "$F", listener(t, dir, "f", 0))
	(&badInput{patch: patch}).bundle(t, w, bundle)
	if h.patch != "" {
		if err := patchText(filepath.Join(bundle, "config.json"), names.Replace(h.patch)); err != nil {
			t.Fatal(err)
		}
	}
	before = processes(t)
	args := func(list []string) (real []string) {
		for _, a := range list {
			real = append(real, names.Replace(a))
		}
		return real
	}
	for _, list := range h.before {
		if r, err := w.run(dir, os.Environ(), args(list)...); err != nil || r.code != 0 {
			t.Fatal(list, r, err)
		}
	}
	out, err := os.Create(filepath.Join(dir, ".hanging"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	call = exec.Command(w.binary(), append(w.flags(), args(h.args)...)...)
	call.Stdout, call.Stderr = out, out
	if err := call.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = call.Process.Kill()
		killAll(t, "4711")
	})
	switch h.name {
	default:
		await(t, "the hook", func() bool { return len(running("4711")) > 0 })
	case "agent": // until it is connected
		await(t, "the connection", func() bool { return !exists(filepath.Join(w.root, "web/start.sock")) })
	case "console":
		await(t, "the container", func() bool { return exists(filepath.Join(w.root, "web/config.json")) })
		time.Sleep(50 * time.Millisecond) // what it waits for next cannot be seen
	case "":
	}
	return w, before, call
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// listener creates a socket that accepts no connections. room is the backlog; if it is 0,
// the socket is full already, so that connect(2) blocks.
func listener(t *testing.T, dir, name string, room int) (path string) {
	t.Helper()
	path = filepath.Join(dir, name)
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(s) })
	if err := errors.Join(unix.Bind(s, &unix.SockaddrUnix{Name: path}), unix.Listen(s, room)); err != nil {
		t.Fatal(err)
	}
	if room == 0 {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	return path
}

func deleteForced(t *testing.T, w *world) {
	t.Helper()
	if r, err := w.run(w.work, os.Environ(), "delete", "--force", "web"); err != nil || r.code != 0 {
		t.Fatal(r, err)
	}
}

// awaitEnd waits until a call ends.
func awaitEnd(t *testing.T, call *exec.Cmd) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- call.Wait() }()
	select {
	case <-done:
	case <-time.After(hangTime):
		t.Fatalf("%q did not end within %v", call.Args, hangTime)
	}
}

func await(t *testing.T, what string, there func() bool) {
	t.Helper()
	for end := time.Now().Add(hangTime); !there(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", hangTime, what)
		}
	}
}

// running returns the processes that run and have this argument.
func running(arg string) (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		cmdline, _ := os.ReadFile(dir + "/cmdline")
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && slices.Contains(strings.Split(string(cmdline), "\x00"), arg) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func killAll(t *testing.T, arg string) {
	t.Helper()
	for _, pid := range running(arg) {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && err != unix.ESRCH {
			t.Error(err)
		}
	}
}

// nothingLeft waits until nothing is left that was not there before.
func nothingLeft(t *testing.T, w *world, before []string) {
	t.Helper()
	k := killed{world: w}
	left := k.left(t, before)
	for end := time.Now().Add(hangTime); len(left) > 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		left = k.left(t, before)
	}
	if len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
}
