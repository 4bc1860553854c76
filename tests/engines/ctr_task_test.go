// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCtrTaskList(t *testing.T) {
	c := ctr(t)
	pid, state := c.status(t, c.sleeper(t))
	equal(t, "state", state, "RUNNING")
	contains(t, commandLine(number(t, pid)), "sh -c")
	expectPlace(t, pid)
}

// number parses a pid.
func number(t *testing.T, text string) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatalf("%q is no pid: %v", text, err)
	}
	return n
}

func TestCtrTaskExec(t *testing.T) {
	for _, e := range []struct {
		name    string
		options []string
		script  string
		want    string
	}{
		{"prints its output", nil, "echo out", "out"},
		{"takes the environment of the container", nil, "echo $FROM $OWN", "image set"},
		{"takes the working directory of the container", nil, "pwd", "/data"},
		{"takes --cwd", []string{"--cwd", "/tmp"}, "pwd", "/tmp"},
		{"takes --user", []string{"--user", "app"}, "id -u; id -g", "1000\n1000"},
		{"is in the container's namespaces", nil, "tr '\\0' ' ' </proc/1/cmdline | cut -c1-5", "sh -c"},
		{"is in the container's cgroup", nil, "diff /proc/1/cgroup /proc/self/cgroup && echo same", "same"},
	} {
		t.Run(e.name, func(t *testing.T) {
			c := ctr(t)
			id := c.sleeper(t, "--env", "OWN=set")
			equal(t, "output", c.exec(t, id, e.options, "sh", "-c", e.script).ok(t), e.want)
		})
	}
}

func TestCtrTaskExecPassesTheExitCode(t *testing.T) {
	c := ctr(t)
	id := c.sleeper(t)
	c.exec(t, id, nil, "sh", "-c", "exit 42").fails(t, 42)
	c.exec(t, id, nil, "sh", "-c", "kill -KILL $$").fails(t, 137)
}

func TestCtrTaskExecOfWhatCannotRun(t *testing.T) {
	c := ctr(t)
	id := c.sleeper(t)
	c.exec(t, id, nil, "nope").fails(t, 1, `exec: "nope"`, "executable file not found in $PATH")
	c.exec(t, id, nil, "/notexec").fails(t, 1, "/notexec", "permission denied")
	equal(t, "afterwards", c.exec(t, id, nil, "echo", "alive").ok(t), "alive")
}

func TestCtrTaskExecInATerminal(t *testing.T) {
	c := ctr(t)
	id := c.sleeper(t)
	term := onTerminal(t, 33, 101, slices.Concat(c.client, []string{"task", "exec", "--exec-id", "x", "-t", id}, shell)...)
	term.await("$ ")
	term.enter("until stty size | grep '33 101'; do sleep 0.1; done\n")
	term.await("\n33 101")
	term.enter("exit 5\n")
	if o := term.end(); o.code != 5 {
		t.Errorf("exit code %d, want 5: %v", o.code, o)
	}
}

func TestCtrTaskExecCanBeKilledAlone(t *testing.T) {
	c := ctr(t)
	id := c.sleeper(t)
	c.do(t, "task", "exec", "-d", "--exec-id", "victim", id, "sleep", "4262").ok(t)
	find := func() string {
		for _, process := range world.processes() {
			if strings.HasSuffix(process, "(sleep 4262)") {
				return process
			}
		}
		return ""
	}
	eventually(t, func() error {
		if find() == "" {
			return fmt.Errorf("the sleep does not start")
		}
		return nil
	})
	c.do(t, "task", "kill", "-s", "KILL", "--exec-id", "victim", id).ok(t)
	eventually(t, func() error {
		if process := find(); process != "" {
			return fmt.Errorf("still runs: %s", process)
		}
		return nil
	})
	c.awaitStatus(t, id, "RUNNING")
}

func TestCtrTaskProcesses(t *testing.T) {
	c := ctr(t)
	id := c.start(t, nil, "sh", "-c", "sleep 1000 & wait")
	pid, _ := c.status(t, id)
	eventually(t, func() error {
		lines := strings.Split(c.do(t, "task", "ps", id).ok(t), "\n")
		if len(lines) != 3 || !strings.HasPrefix(lines[1], pid) {
			return fmt.Errorf("want the shell, %s, and its child, got %q", pid, lines)
		}
		return nil
	})
}

func TestCtrTaskKill(t *testing.T) {
	for _, k := range []struct {
		signal string
		code   int
	}{{"SIGTERM", 7}, {"SIGKILL", 137}, {"9", 137}} {
		t.Run(k.signal, func(t *testing.T) {
			c := ctr(t)
			id := c.sleeper(t)
			c.exec(t, id, nil, "true").ok(t) // the trap is set by then
			c.do(t, "task", "kill", "-s", k.signal, id).ok(t)
			c.awaitStatus(t, id, "STOPPED")
			exited(t, c.do(t, "task", "delete", id), k.code)
		})
	}
}

// exited checks the exit code of a task that ctr has deleted. ctr exits with this code or, in older versions, prints it
// in a warning.
func exited(t *testing.T, o outcome, code int) {
	t.Helper()
	if o.code != code && !strings.Contains(o.err, fmt.Sprintf("non-zero exit code %d", code)) {
		t.Errorf("want the task's exit code %d: %v", code, o)
	}
}

func TestCtrTaskKillOfAStoppedTask(t *testing.T) {
	c := ctr(t)
	id := c.start(t, nil, "true")
	c.awaitStatus(t, id, "STOPPED")
	o := c.do(t, "task", "kill", id)
	if o.code == 0 || !strings.Contains(o.err, "not found") && !strings.Contains(o.err, "already finished") {
		t.Errorf("want the error that there is no such process: %v", o)
	}
}

func TestCtrTaskKillAll(t *testing.T) {
	c := ctr(t)
	id := c.start(t, []string{"--with-ns", fmt.Sprintf("pid:/proc/%d/ns/pid", os.Getpid())}, "sh", "-c", "sleep 4272 & sleep 4273 & wait")
	eventually(t, func() error { return countProcesses("(sleep 427", 2) })
	c.do(t, "task", "kill", "-a", "-s", "KILL", id).ok(t)
	c.awaitStatus(t, id, "STOPPED")
	eventually(t, func() error { return countProcesses("(sleep 427", 0) })
}

// countProcesses returns an error unless the command lines of exactly want processes of this run contain a text.
func countProcesses(text string, want int) error {
	var found []string
	for _, process := range world.processes() {
		if strings.Contains(process, text) {
			found = append(found, process)
		}
	}
	if len(found) != want {
		return fmt.Errorf("%d processes %q, want %d: %q", len(found), text, want, found)
	}
	return nil
}

func TestCtrTaskDeleteOfARunningTaskIsRefused(t *testing.T) {
	c := ctr(t)
	id := c.sleeper(t)
	o := c.do(t, "task", "delete", id)
	if o.code == 0 {
		t.Errorf("no error: %v", o)
	}
	c.awaitStatus(t, id, "RUNNING")
	exited(t, c.do(t, "task", "delete", "-f", id), 137)
	c.awaitStatus(t, id, "gone")
}

func TestCtrTaskPauseAndResume(t *testing.T) {
	c, dir := ctr(t), hostDir(t)
	id := c.start(t, []string{"--mount", "type=bind,src=" + dir + ",dst=/tmp,options=rbind:rw"}, "sh", "-c", counter)
	read := func() string { return execute(t, "", "cat", dir+"/n").out }
	eventually(t, func() error {
		if read() == "" {
			return fmt.Errorf("the counter does not start")
		}
		return nil
	})
	c.do(t, "task", "pause", id).ok(t)
	c.awaitStatus(t, id, "PAUSED")
	first := read()
	time.Sleep(300 * time.Millisecond)
	equal(t, "the counter of a paused task", read(), first)
	if o := c.exec(t, id, nil, "true"); o.code == 0 || !strings.Contains(o.err, "paused") {
		t.Errorf("exec in a paused task: %v", o)
	}
	c.do(t, "task", "resume", id).ok(t)
	c.awaitStatus(t, id, "RUNNING")
	eventually(t, func() error {
		if read() == first {
			return fmt.Errorf("the counter stays at %s", first)
		}
		return nil
	})
}

func TestCtrTaskMetrics(t *testing.T) {
	needMountedHierarchies(t)
	needController(t, "memory")
	needController(t, "pids")
	c := ctr(t)
	out := c.do(t, "task", "metrics", c.sleeper(t)).ok(t)
	for _, row := range []string{"memory.usage", "pids.current"} {
		if !hasPositiveRow(out, row) {
			t.Errorf("no positive %s* in:\n%s", row, out)
		}
	}
}

// hasPositiveRow reports whether the table has a row "NAME... VALUE" with a value other than 0.
func hasPositiveRow(table, name string) bool {
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) == 2 && strings.HasPrefix(f[0], name) && f[1] != "0" {
			return true
		}
	}
	return false
}

func TestCtrCreateAndStart(t *testing.T) {
	c := ctr(t)
	id := c.reserve(t)
	args := c.runArgs(id, nil, "sh", "-c", "echo started; exit 3")
	created := c.do(t, slices.Concat([]string{"container", "create"}, args[1:])...)
	if strings.Contains(created.out+created.err, "not defined: -runc-binary") {
		t.Skip("this ctr takes --runc-binary with run alone")
	}
	created.ok(t)
	o := c.do(t, "task", "start", id)
	o.fails(t, 3)
	equal(t, "output", o.out, "started")
}
