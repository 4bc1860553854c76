// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// needCRIU skips a test if CRIU does not work here, or lacks one of these features.
func needCRIU(t *testing.T, features ...string) {
	t.Helper()
	if out, err := exec.Command("criu", "check").CombinedOutput(); err != nil {
		t.Skipf("criu check: %v: %s", err, out)
	}
	for _, feature := range features {
		if out, err := exec.Command("criu", "check", "--feature", feature).CombinedOutput(); err != nil {
			t.Skipf("criu check --feature %s: %v: %s", feature, err, out)
		}
	}
}

// A count is a container that counts in memory, and writes the number to a file on the host.
type count struct{ name, file string }

// counting starts such a container.
func (e *podmanEngine) counting(t *testing.T, options ...string) count {
	t.Helper()
	dir := hostDir(t)
	c := count{e.start(t, append([]string{"-v", dir + ":/tmp"}, options...), "sh", "-c", counter), filepath.Join(dir, "n")}
	c.beyond(t, 2)
	return c
}

// reached returns the last number.
func (c count) reached(t *testing.T) int {
	t.Helper()
	n, _ := strconv.Atoi(execute(t, "", "cat", c.file).out)
	return n
}

// beyond waits until the number is above n. It fails if the container has started again from the beginning.
func (c count) beyond(t *testing.T, n int) {
	t.Helper()
	eventually(t, func() error {
		if got := c.reached(t); got <= n {
			return fmt.Errorf("the container counts to %d, not beyond %d", got, n)
		}
		return nil
	})
}

// stoppedAt returns the last number, and fails if it still increases.
func (c count) stoppedAt(t *testing.T) int {
	t.Helper()
	n := c.reached(t)
	time.Sleep(300 * time.Millisecond)
	equal(t, "the count of a container that does not run", strconv.Itoa(c.reached(t)), strconv.Itoa(n))
	return n
}

// continues fails unless the container runs and counts on from n.
func (e *podmanEngine) continues(t *testing.T, c count, n int) {
	t.Helper()
	c.beyond(t, n)
	equal(t, "status", e.inspect(t, c.name, ".State.Status"), "running")
	equal(t, "exec", e.exec(t, c.name, "echo", "alive").ok(t), "alive")
}

func TestPodmanCheckpoint(t *testing.T) {
	needCRIU(t)
	p := podman(t)
	c := p.counting(t)
	p.do(t, "container", "checkpoint", "--keep", "--print-stats", c.name).ok(t)
	equal(t, "status", p.inspect(t, c.name, ".State.Status .State.Checkpointed"), "exited true")
	n := c.stoppedAt(t)
	p.do(t, "container", "restore", "--keep", "--print-stats", c.name).ok(t)
	p.continues(t, c, n)
	contains(t, execute(t, "", "cat", p.inspect(t, c.name, ".State.RestoreLog")).ok(t), "Restore finished successfully")
	p.do(t, "stop", "-t", "0", c.name).ok(t)
	equal(t, "stopped", p.inspect(t, c.name, ".State.Status .State.ExitCode"), "exited 137")
}

func TestPodmanCheckpointLeavesTheContainerRunning(t *testing.T) {
	needCRIU(t)
	p := podman(t)
	c := p.counting(t)
	p.do(t, "container", "checkpoint", "--leave-running", c.name).ok(t)
	p.continues(t, c, c.reached(t))
}

func TestPodmanCheckpointGoesToAnotherContainer(t *testing.T) {
	needCRIU(t)
	p := podman(t)
	c := p.counting(t, "--memory", "64m", "--memory-swap", "64m")
	file, other := filepath.Join(t.TempDir(), "archive"), p.reserve(t)
	p.exec(t, c.name, "sh", "-c", "echo added >/data/added").ok(t)
	p.do(t, "container", "checkpoint", "--export", file, c.name).ok(t)
	n := c.stoppedAt(t)
	p.do(t, "rm", c.name).ok(t)
	p.do(t, "container", "restore", "--import", file, "--name", other).ok(t)
	c.name = other
	p.continues(t, c, n)
	equal(t, "the file system", p.exec(t, c.name, "cat", "/data/added").ok(t), "added")
	pid := p.inspect(t, c.name, ".State.Pid")
	expectPlace(t, pid)
	if world.cgroups.has("memory") {
		limitCases[0].settings[0].expect(t, pid)
	}
}

// The memory is saved first, and at the checkpoint only what has changed since.
func TestPodmanPreCheckpoint(t *testing.T) {
	needCRIU(t, "mem_dirty_track")
	p := podman(t)
	c := p.counting(t)
	before, file := filepath.Join(t.TempDir(), "before"), filepath.Join(t.TempDir(), "archive")
	p.do(t, "container", "checkpoint", "--pre-checkpoint", "--export", before, c.name).ok(t)
	p.continues(t, c, c.reached(t))
	p.do(t, "container", "checkpoint", "--with-previous", "--export", file, c.name).ok(t)
	n := c.stoppedAt(t)
	p.do(t, "rm", c.name).ok(t)
	p.do(t, "container", "restore", "--import-previous", before, "--import", file).ok(t)
	p.continues(t, c, n)
}

func TestPodmanCheckpointOfAConnection(t *testing.T) {
	needCRIU(t)
	p := podman(t)
	const talk = "ifconfig lo up; nc -l -p 99 -e cat & until netstat -tln | grep -q :99; do sleep 0.1; done; nc 127.0.0.1 99 -e sh -c '" +
		"n=0; while echo $n && read m && [ $m = $n ]; do n=$((n+1)); echo $n >/tmp/.n; mv /tmp/.n /tmp/n; sleep 0.05; done'"
	dir := hostDir(t)
	c := count{p.start(t, []string{"-v", dir + ":/tmp", "--network", "none", "--cap-add", "net_admin"}, "sh", "-c", talk), filepath.Join(dir, "n")}
	c.beyond(t, 2)
	o := p.do(t, "container", "checkpoint", c.name)
	if o.code == 0 || !strings.Contains(o.err, "tcp") {
		t.Errorf("a checkpoint without --tcp-established: %v", o)
	}
	o = p.do(t, "container", "checkpoint", "--tcp-established", c.name)
	if strings.Contains(o.err, "sockets: Can't get 1:16 opt: Operation not supported") {
		t.Skipf("CRIU cannot read an option that sockets of the internet no longer have here: %v", o)
	}
	o.ok(t)
	n := c.stoppedAt(t)
	p.do(t, "container", "restore", "--tcp-established", c.name).ok(t)
	p.continues(t, c, n)
}
