// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// counter writes increasing numbers into /tmp/n.
const counter = "i=0; while :; do i=$((i+1)); echo $i >/tmp/n.new; mv /tmp/n.new /tmp/n; sleep 0.02; done"

func TestDockerPauseAndUnpause(t *testing.T) {
	d := docker(t)
	dir := hostDir(t)
	name := d.start(t, []string{"-v", dir + ":/tmp"}, "sh", "-c", counter)
	read := func() string { return execute(t, "", "cat", dir+"/n").out }
	eventually(t, func() error {
		if read() == "" {
			return fmt.Errorf("the counter does not start")
		}
		return nil
	})
	d.do(t, "pause", name).ok(t)
	equal(t, "status", d.inspect(t, name, ".State.Status"), "paused")
	first := read()
	time.Sleep(300 * time.Millisecond)
	equal(t, "the counter of a paused container", read(), first)
	d.do(t, "unpause", name).ok(t)
	equal(t, "status", d.inspect(t, name, ".State.Status"), "running")
	eventually(t, func() error {
		if read() == first {
			return fmt.Errorf("the counter stays at %s after unpause", first)
		}
		return nil
	})
}

func TestDockerTop(t *testing.T) {
	d := docker(t)
	name := d.start(t, nil, "sh", "-c", "sleep 1000 & wait")
	eventually(t, func() error {
		lines := strings.Split(d.do(t, "top", name, "-o", "pid,args").ok(t), "\n")
		if len(lines) != 3 || !strings.Contains(lines[1], d.pid(t, name)) || !strings.Contains(lines[2], "sleep 1000") {
			return fmt.Errorf("want the shell and its child, got %q", lines)
		}
		return nil
	})
}

func TestDockerLogs(t *testing.T) {
	d := docker(t)
	name := d.start(t, nil, "sh", "-c", "echo out; echo err >&2; sleep 1000")
	d.awaitLog(t, name, "err")
	o := d.do(t, "logs", name)
	equal(t, "stdout", o.out, "out")
	equal(t, "stderr", o.err, "err")
}

func TestDockerKill(t *testing.T) {
	for _, c := range []struct{ signal, want string }{{"HUP", "got HUP"}, {"SIGUSR1", "got USR1"}, {"15", "got TERM"}, {"37", "got 37"}} {
		t.Run(c.signal, func(t *testing.T) {
			d := docker(t)
			name := d.start(t, nil, "sh", "-c",
				"for s in HUP USR1 TERM 37; do trap \"echo got $s\" $s; done; echo ready; while :; do sleep 0.05; done")
			d.awaitLog(t, name, "ready")
			d.do(t, "kill", "-s", c.signal, name).ok(t)
			d.awaitLog(t, name, c.want)
			equal(t, "status", d.inspect(t, name, ".State.Status"), "running")
		})
	}
}

func TestDockerKillEndsTheContainer(t *testing.T) {
	d := docker(t)
	name := d.sleeper(t)
	d.do(t, "kill", name).ok(t)
	equal(t, "exit code", d.do(t, "wait", name).ok(t), "137")
	equal(t, "OOMKilled", d.inspect(t, name, ".State.OOMKilled"), "false")
}

func TestDockerStop(t *testing.T) {
	d := docker(t)
	name := d.start(t, nil, "sh", "-c", "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
	d.awaitLog(t, name, "ready")
	d.do(t, "stop", name).ok(t)
	equal(t, "exit code", d.inspect(t, name, ".State.ExitCode"), "3")
	d.awaitLog(t, name, "bye")
}

func TestDockerStopKillsWhatDoesNotEnd(t *testing.T) {
	d := docker(t)
	name := d.start(t, nil, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
	d.awaitLog(t, name, "ready")
	begin := time.Now()
	d.do(t, "stop", "-t", "1", name).ok(t)
	equal(t, "exit code", d.inspect(t, name, ".State.ExitCode"), "137")
	if took := time.Since(begin); took < time.Second || took > 8*time.Second {
		t.Errorf("stop -t 1 took %v", took)
	}
}

func TestDockerStopSignal(t *testing.T) {
	d := docker(t)
	name := d.start(t, []string{"--stop-signal", "SIGUSR2"}, "sh", "-c", "trap 'exit 9' USR2; echo ready; while :; do sleep 0.05; done")
	d.awaitLog(t, name, "ready")
	d.do(t, "stop", name).ok(t)
	equal(t, "exit code", d.inspect(t, name, ".State.ExitCode"), "9")
}

func TestDockerStopOfAPausedContainer(t *testing.T) {
	d := docker(t)
	name := d.sleeper(t)
	d.do(t, "pause", name).ok(t)
	d.do(t, "rm", "-f", name).ok(t)
}

func TestDockerStartsAgain(t *testing.T) {
	d := docker(t)
	name := d.reserve(t)
	d.do(t, d.runArgs("run", []string{"--name", name}, "sh", "-c", "echo x >>/data/runs; wc -l </data/runs")...).ok(t)
	equal(t, "second run", d.do(t, "start", "-a", name).ok(t), "2")
	equal(t, "third run", d.do(t, "start", "-a", name).ok(t), "3")
}

func TestDockerRestart(t *testing.T) {
	d := docker(t)
	name := d.sleeper(t)
	before := d.pid(t, name)
	d.do(t, "restart", "-t", "5", name).ok(t)
	if after := d.pid(t, name); after == before || after == "0" {
		t.Errorf("the init is %s after a restart, was %s", after, before)
	}
}

func TestDockerRestartPolicy(t *testing.T) {
	d := docker(t)
	name := d.start(t, []string{"--restart", "on-failure:2"}, "sh", "-c", "echo run; exit 5")
	d.awaitState(t, name, ".State.Status .RestartCount .State.ExitCode", "exited 2 5")
	equal(t, "output", d.do(t, "logs", name).ok(t), "run\nrun\nrun")
}

func TestDockerRemovesARunningContainer(t *testing.T) {
	d := docker(t)
	name := d.sleeper(t)
	pid := d.pid(t, name)
	d.do(t, "rm", "-f", name).ok(t)
	if execute(t, "", "kill", "-0", pid).code == 0 {
		t.Errorf("process %s still runs", pid)
	}
}

func TestDockerRemovesAllProcessesOfASharedPidNamespace(t *testing.T) {
	// Without its own pid namespace the container's other processes survive its init: the runtime must kill them,
	// and only them.
	d := docker(t)
	name := d.start(t, []string{"--pid", "host"}, "sh", "-c", "sleep 4242 & sleep 4243 & echo ready; wait")
	d.awaitLog(t, name, "ready")
	bystander := d.sleeper(t)
	d.do(t, "rm", "-f", name).ok(t)
	eventually(t, func() error {
		for _, process := range world.processes() {
			if strings.Contains(process, "sleep 424") {
				return fmt.Errorf("still runs: %s", process)
			}
		}
		return nil
	})
	equal(t, "the other container", d.inspect(t, bystander, ".State.Status"), "running")
}

func TestDockerCreatedContainerIsRemoved(t *testing.T) {
	d := docker(t)
	name := d.reserve(t)
	d.do(t, d.runArgs("create", []string{"--name", name}, "true")...).ok(t)
	equal(t, "status", d.inspect(t, name, ".State.Status"), "created")
	d.do(t, "rm", name).ok(t)
}

func TestDockerInspectAfterTheEnd(t *testing.T) {
	d := docker(t)
	name := d.start(t, nil, "sh", "-c", "exit 17")
	equal(t, "wait", d.do(t, "wait", name).ok(t), "17")
	equal(t, "state", d.inspect(t, name, ".State.Status .State.ExitCode .State.OOMKilled .State.Pid"), "exited 17 false 0")
}

func TestDockerManyContainersAtOnce(t *testing.T) {
	d := docker(t)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			if o := d.run(t, nil, "echo", strconv.Itoa(i)); o.code != 0 || o.out != strconv.Itoa(i) {
				t.Errorf("one of eight: %v", o)
			}
		})
	}
	group.Wait()
}
