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

// hanging is a call of skiff that does not come to its end by itself, as a hook
// or somebody else keeps it waiting.
type hanging struct {
	name   string
	hook   string     // where it hangs: a hook's name
	patch  string     // or what keeps it waiting: of config.json
	before [][]string // calls that succeed
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
		// The seccomp agent never answers, so the first process never accepts.
		hanging{name: "agent", before: [][]string{create}, args: start, patch: `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW",
			"listenerPath": "$L", "syscalls": [{"names": ["accept4"], "action": "SCMP_ACT_NOTIFY"}]}}}`},
		// Nobody accepts the terminal.
		hanging{name: "console", args: []string{"create", "--console-socket", "$F", "--bundle", "$B", "web"}, patch: `{"process": {"terminal": true}}`})
}

// hangTime is what delete --force may take where another call hangs, and that
// call then to its end. It takes about 0.1 s on a machine that is not busy.
const hangTime = 8 * time.Second

// TestHang has delete --force remove a container whose other call hangs. That
// call ends, and all that the hook has started.
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
			if h.hook == "poststop" { // which is not the container's any more
				if err := call.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				killAll(t, "4711")
			}
			ends(t, call)
			nothingLeft(t, w, before)
		})
	}
}

// TestHangKilled kills a call that hangs. The hook dies with it, and
// delete --force finds the rest. A poststop hook runs again then, and is not to
// hang once more.
func TestHangKilled(t *testing.T) {
	isolate.Require(t)
	for _, h := range hangings() {
		t.Run(h.name+"-"+h.hook, func(t *testing.T) {
			killed := filepath.Join(t.TempDir(), "killed")
			w, before, call := hang(t, h, "test -e "+killed+" || exec sleep 4711")
			if err := call.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			ends(t, call)
			if err := os.WriteFile(killed, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			await(t, "the end of the hook", func() bool { return len(running("4711")) == 0 })
			deleteForced(t, w)
			nothingLeft(t, w, before)
		})
	}
}

// TestHangTaken deletes a container by force while something else than skiff
// holds its lock: it is left alone, and
// named while it is waited for and in the end.
func TestHangTaken(t *testing.T) {
	isolate.Require(t)
	w, _, call := hang(t, hanging{args: []string{"create", "--bundle", "$B", "web"}}, "true")
	ends(t, call)
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
	for _, phrase := range []string{"waiting for process %d (flock ", "which process %d (flock "} {
		if want := fmt.Sprintf(phrase, c.Process.Pid); strings.Count(r.stderr, want) != 1 {
			t.Errorf("%s, want %q", r.stderr, want)
		}
	}
}

// hang calls skiff, and returns when it hangs: in a hook that is the script.
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
		time.Sleep(50 * time.Millisecond) // what it waits for then is not to be seen
	case "":
	}
	return w, before, call
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// listener makes a socket that accepts nobody, and has room for some more than
// that. One without room keeps waiting who connects.
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

// ends waits for the end of a call.
func ends(t *testing.T, call *exec.Cmd) {
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

// running lists the processes that have not ended and have an argument.
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

// nothingLeft waits until nothing is there that was not before.
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
