// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPodmanExec(t *testing.T) {
	for _, c := range []struct{ name, options, script, want string }{
		{"prints its output", "", "echo out", "out"},
		{"takes the environment of the container", "", "echo $FROM $OWN", "image set"},
		{"takes the working directory of the container", "", "pwd", "/tmp"},
		{"takes -e", "-e A=1", "echo $A", "1"},
		{"takes -w", "-w /data", "pwd", "/data"},
		{"takes -u by name, with its groups", "-u app", "id -u; id -G", "1000\n1000 2000"},
		{"is in the container's namespaces", "", "hostname", "inside"},
		{"is in the container's cgroup", "", "diff /proc/1/cgroup /proc/self/cgroup && echo same", "same"},
		{"keeps the limits of the container", "", "ulimit -Sn; ulimit -Hn", "512\n768"},
		{"keeps the seccomp profile", "", "awk '/Seccomp:/ { print $2 }' /proc/self/status", "2"},
		{"takes --privileged=false", "--privileged=false", "echo out", "out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := podman(t)
			name := p.sleeper(t, "--hostname", "inside", "--workdir", "/tmp", "-e", "OWN=set", "--ulimit", "nofile=512:768", "--ulimit", "nproc=4096:4096")
			equal(t, "output", p.exec(t, c.options+" "+name, "sh", "-c", c.script).ok(t), c.want)
		})
	}
}

func TestPodmanExecPassesTheExitCode(t *testing.T) {
	p := podman(t)
	name := p.sleeper(t)
	p.exec(t, name, "sh", "-c", "exit 42").fails(t, 42)
	p.exec(t, name, "sh", "-c", "kill -KILL $$").fails(t, 137)
}

func TestPodmanExecPassesStandardInput(t *testing.T) {
	p := podman(t)
	name := p.sleeper(t)
	equal(t, "output", p.feed(t, "one\ntwo\n", "exec", "-i", name, "cat").ok(t), "one\ntwo")
}

func TestPodmanExecDetached(t *testing.T) {
	p := podman(t)
	name := p.sleeper(t)
	p.exec(t, "-d "+name, "sh", "-c", "echo done >/tmp/mark").ok(t)
	eventually(t, func() error { return p.exec(t, name, "cat", "/tmp/mark").problem("done") })
}

func TestPodmanExecOfWhatCannotRun(t *testing.T) {
	p := podman(t)
	name := p.sleeper(t)
	p.exec(t, name, "nope").fails(t, 127, "nope", "not found")
	p.exec(t, name, "/bin/nope").fails(t, 127, "/bin/nope", "no such file or directory")
	p.exec(t, name, "/notexec").fails(t, 126, "/notexec", "permission denied")
	equal(t, "afterwards", p.exec(t, name, "echo", "alive").ok(t), "alive")
}

func TestPodmanLogs(t *testing.T) {
	p := podman(t)
	name := p.start(t, nil, "sh", "-c", "echo out; echo err >&2; sleep 1000")
	p.awaitLog(t, name, "err")
	o := p.do(t, "logs", name)
	equal(t, "stdout", o.out, "out")
	equal(t, "stderr", o.err, "err")
}

func TestPodmanListsWithItsState(t *testing.T) {
	p := podman(t)
	name := p.sleeper(t)
	list := func() string {
		p.do(t, "ps", "-a", "--filter", "name="+name).ok(t)
		return name + " " + p.inspect(t, name, ".State.Status")
	}
	equal(t, "running", list(), name+" running")
	p.do(t, "pause", name).ok(t)
	equal(t, "paused", list(), name+" paused")
	p.do(t, "unpause", name).ok(t)
	equal(t, "running again", list(), name+" running")
	p.do(t, "stop", "-t", "5", name).ok(t)
	equal(t, "stopped", list(), name+" exited")
}

func TestPodmanPauseStopsTheProcesses(t *testing.T) {
	p, dir := podman(t), hostDir(t)
	name := p.start(t, []string{"-v", dir + ":/tmp"}, "sh", "-c", counter)
	read := func() string { return execute(t, "", "cat", dir+"/n").out }
	eventually(t, func() error {
		if read() == "" {
			return fmt.Errorf("the counter does not start")
		}
		return nil
	})
	p.do(t, "pause", name).ok(t)
	first := read()
	time.Sleep(300 * time.Millisecond)
	equal(t, "the counter of a paused container", read(), first)
	p.do(t, "unpause", name).ok(t)
	eventually(t, func() error {
		if read() == first {
			return fmt.Errorf("the counter stays at %s", first)
		}
		return nil
	})
}

func TestPodmanKill(t *testing.T) {
	for _, c := range []struct{ signal, want string }{{"HUP", "got HUP"}, {"SIGUSR1", "got USR1"}, {"37", "got 37"}} {
		t.Run(c.signal, func(t *testing.T) {
			p := podman(t)
			name := p.start(t, nil, "sh", "-c", "for s in HUP USR1 37; do trap \"echo got $s\" $s; done; echo ready; while :; do sleep 0.05; done")
			p.awaitLog(t, name, "ready")
			p.do(t, "kill", "-s", c.signal, name).ok(t)
			p.awaitLog(t, name, c.want)
		})
	}
}

func TestPodmanKillEndsTheContainer(t *testing.T) {
	p := podman(t)
	name := p.sleeper(t)
	p.do(t, "kill", name).ok(t)
	equal(t, "exit code", p.do(t, "wait", name).ok(t), "137")
}

func TestPodmanStop(t *testing.T) {
	p := podman(t)
	name := p.start(t, nil, "sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done")
	p.awaitLog(t, name, "ready")
	p.do(t, "stop", name).ok(t)
	equal(t, "state", p.inspect(t, name, ".State.Status .State.ExitCode"), "exited 3")
}

func TestPodmanStopKillsWhatDoesNotEnd(t *testing.T) {
	p := podman(t)
	name := p.start(t, nil, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
	p.awaitLog(t, name, "ready")
	p.do(t, "stop", "-t", "1", name).ok(t)
	equal(t, "state", p.inspect(t, name, ".State.Status .State.ExitCode"), "exited 137")
}

func TestPodmanCreateAndStart(t *testing.T) {
	p := podman(t)
	name := p.reserve(t)
	p.do(t, p.runArgs("create", []string{"--name", name}, "sh", "-c", "echo x >>/data/runs; wc -l </data/runs")...).ok(t)
	equal(t, "first run", p.do(t, "start", "-a", name).ok(t), "1")
	equal(t, "second run", p.do(t, "start", "-a", name).ok(t), "2")
}

func TestPodmanInitIsTheCreatedContainer(t *testing.T) {
	p := podman(t)
	name := p.reserve(t)
	p.do(t, p.runArgs("create", []string{"--name", name}, "echo", "out")...).ok(t)
	p.do(t, "init", name).ok(t)
	equal(t, "status", p.inspect(t, name, ".State.Status"), "initialized")
	equal(t, "output", p.do(t, "start", "-a", name).ok(t), "out")
}

func TestPodmanRemovesAnInitializedContainer(t *testing.T) {
	p := podman(t)
	name := p.reserve(t)
	p.do(t, p.runArgs("create", []string{"--name", name}, "true")...).ok(t)
	p.do(t, "init", name).ok(t)
	p.do(t, "rm", "-f", name).ok(t)
}

func TestPodmanRestart(t *testing.T) {
	p := podman(t)
	name := p.sleeper(t)
	before := p.inspect(t, name, ".State.Pid")
	p.do(t, "restart", "-t", "5", name).ok(t)
	if after := p.inspect(t, name, ".State.Pid"); after == before || after == "0" {
		t.Errorf("the init is %s after a restart, was %s", after, before)
	}
}

func TestPodmanRemovesARunningContainer(t *testing.T) {
	p := podman(t)
	name := p.sleeper(t)
	p.do(t, "rm", "-f", "-t", "0", name).ok(t)
	if o := p.do(t, "container", "exists", name); o.code == 0 {
		t.Errorf("the container still exists: %v", o)
	}
}

func TestPodmanRemovesAllProcessesOfASharedPidNamespace(t *testing.T) {
	p := podman(t)
	name := p.start(t, []string{"--pid", "host"}, "sh", "-c", "sleep 4252 & sleep 4253 & echo ready; wait")
	p.awaitLog(t, name, "ready")
	p.do(t, "rm", "-f", "-t", "0", name).ok(t)
	eventually(t, func() error {
		for _, process := range world.processes() {
			if strings.Contains(process, "sleep 425") {
				return fmt.Errorf("still runs: %s", process)
			}
		}
		return nil
	})
}

func TestPodmanTop(t *testing.T) {
	p := podman(t)
	name := p.start(t, nil, "sh", "-c", "sleep 1000 & wait")
	eventually(t, func() error {
		if out := p.do(t, "top", name, "pid", "args").ok(t); !strings.Contains(out, "sleep 1000") {
			return fmt.Errorf("no sleep in:\n%s", out)
		}
		return nil
	})
}

func TestPodmanStats(t *testing.T) {
	needController(t, "memory")
	needController(t, "pids")
	p := podman(t)
	name := p.sleeper(t, "--memory", "64m")
	out := p.do(t, "stats", "--no-stream", "--format", "{{.PIDs}} {{.MemUsage}}", name).ok(t)
	var pids int
	if _, err := fmt.Sscan(out, &pids); err != nil || pids < 1 || !strings.HasSuffix(out, "/ 67.11MB") {
		t.Errorf("stats: %q, want at least 1 process and the limit of 67.11MB", out)
	}
}

func (e *podmanEngine) terminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	return onTerminal(t, 33, 101, slices.Concat(e.client, args)...)
}

func TestPodmanTerminal(t *testing.T) {
	p := podman(t)
	term := p.terminal(t, p.runArgs("run", []string{"--rm", "--name", p.reserve(t), "-it"}, shell...)...)
	term.await("$ ")
	term.enter("tty; until stty size | grep '33 101'; do sleep 0.1; done\n")
	term.await("\n33 101")
	contains(t, term.text(), "/dev/pts/0")
	term.resize(22, 44)
	term.enter("until stty size | grep '22 44'; do sleep 0.1; done\n")
	term.await("\n22 44")
	term.enter("exit 7\n")
	if o := term.end(); o.code != 7 {
		t.Errorf("exit code %d, want 7: %v", o.code, o)
	}
}

func TestPodmanTerminalInExec(t *testing.T) {
	p := podman(t)
	name := p.sleeper(t)
	term := p.terminal(t, append([]string{"exec", "-it", name}, shell...)...)
	term.await("$ ")
	term.enter("until stty size | grep '33 101'; do sleep 0.1; done; tty\n")
	term.await("\n33 101")
	term.await("/dev/pts/")
	term.enter("exit 5\n")
	if o := term.end(); o.code != 5 {
		t.Errorf("exit code %d, want 5: %v", o.code, o)
	}
}
