// SPDX-License-Identifier: Apache-2.0

package script

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/tests/isolate"
)

// deleteKilledTime is how long TestDeleteKilled runs.
const deleteKilledTime = 10 * time.Second

// TestDeleteKilled kills a delete at one of its system calls, by means of strace. The
// next delete finishes the work. The poststop hooks run once, or twice if the first
// delete was killed after they had begun.
func TestDeleteKilled(t *testing.T) {
	isolate.Require(t)
	if out, err := exec.Command("strace", "-f", "-o", "/dev/null", "true").CombinedOutput(); err != nil {
		t.Skipf("strace: %v: %s", err, out)
	}
	dir := t.TempDir()
	w := newWorld(dir, "script-delete-killed")
	t.Cleanup(func() {
		if err := w.remove(); err != nil {
			t.Error(err)
		}
	})
	log := filepath.Join(dir, "log")
	b := badInput{patch: `{"process": {"args": ["sleep", "1000"]}, "hooks": {"poststop": [{"path": "/bin/sh", "args": ["sh", "-c", "echo x >>` + log + `"]}]}}`}
	b.bundle(t, w, filepath.Join(dir, "b"))
	d := &deleteKilled{world: w, log: log}
	all := d.calls(t)
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	rounds, begun, end := 0, 0, time.Now().Add(deleteKilledTime)
	for ; rounds < len(all) && time.Now().Before(end); rounds++ {
		if d.round(t, all[rounds]) {
			begun++
		}
	}
	t.Logf("killed at %d of %d system calls, at %d of them after the hooks had begun", rounds, len(all), begun)
}

type deleteKilled struct {
	*world
	log string
}

// traced deletes the container under strace, which does not trace the hooks.
func (d *deleteKilled) traced(t *testing.T, flags ...string) {
	t.Helper()
	_ = os.Remove(d.log)
	r, err := d.run(d.work, os.Environ(), "run", "--detach", "--bundle", "b", "web")
	if err != nil || r.code != 0 {
		t.Fatal(err, r)
	}
	args := append(append([]string{"-q", "-f", "-b", "execve"}, flags...), d.binary())
	c := exec.Command("strace", append(append(args, d.flags()...), "delete", "--force", "web")...)
	_ = c.Run() // it fails: it is killed
}

// betweenForkAndExec has the system calls that a process makes before it becomes a hook:
// only this process would be killed.
const betweenForkAndExec = `rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack close dup3 fcntl chdir setpgid getpid getppid gettid prctl`

// calls lists the system calls of a delete in the form of strace's inject option. Like
// strace, it counts them per thread.
func (d *deleteKilled) calls(t *testing.T) (all []string) {
	t.Helper()
	trace := filepath.Join(d.work, ".trace")
	d.traced(t, "-o", trace)
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	if n := d.hooks(t); n != 1 {
		t.Fatalf("hooks have run %d times undisturbed", n)
	}
	threads := make(map[string]int)
	for _, m := range tracedCall.FindAllSubmatch(text, -1) {
		name := string(m[2])
		if slices.Contains(strings.Fields(faultless+" "+betweenForkAndExec), name) {
			continue
		}
		threads[string(m[1])+name]++
		one := fmt.Sprintf("%s:signal=KILL:when=%d", name, threads[string(m[1])+name])
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

// round kills a delete at one system call, and reports whether the hooks had begun by
// then.
func (d *deleteKilled) round(t *testing.T, when string) bool {
	t.Helper()
	d.traced(t, "-o", "/dev/null", "-e", "inject="+when)
	first := d.hooks(t)
	r, err := d.run(d.work, os.Environ(), "delete", "--force", "web")
	if err != nil || r.code != 0 || r.stderr != "" {
		t.Fatalf("killed at %s: the next delete: %v %+v", when, err, r)
	}
	if all := d.hooks(t); all == 0 || first == 0 && all != 1 || all > 2 {
		t.Errorf("killed at %s: hooks have run %d times, %d of them in the first delete", when, all, first)
	}
	left, err := d.leftovers()
	for range 50 {
		if err == nil && len(left) > 0 {
			time.Sleep(10 * time.Millisecond)
			left, err = d.leftovers()
		}
	}
	if err != nil || len(left) > 0 {
		t.Fatalf("killed at %s: left behind: %v %q", when, err, left)
	}
	return first > 0
}

// hooks waits until no hook runs any more, and returns how often the hook has run.
func (d *deleteKilled) hooks(t *testing.T) int {
	t.Helper()
	for range 200 {
		if !strings.Contains(strings.Join(d.processes(), "\n"), d.log) {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	text, err := os.ReadFile(d.log)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}
