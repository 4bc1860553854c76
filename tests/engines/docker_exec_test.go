// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"strings"
	"sync"
	"testing"
)

func TestDockerExec(t *testing.T) {
	for _, c := range []struct{ name, options, script, want string }{
		{"prints its output", "", "echo out", "out"},
		{"takes the environment of the container", "", "echo $FROM $OWN $HOME", "image set /home"},
		{"takes the working directory of the container", "", "pwd", "/work"},
		{"takes -e", "-e A=1 -e OWN=other", "echo $A $OWN", "1 other"},
		{"takes -w", "-w /tmp", "pwd", "/tmp"},
		{"takes -u by name, with its groups", "-u app", "id -u; id -G; echo $HOME", "1000\n1000 2000\n/data"},
		{"takes -u by number", "-u 77:88", "id -u; id -g", "77\n88"},
		{"is in the container's namespaces", "", "cat /proc/1/cmdline | tr '\\0' ' ' | cut -c1-5; hostname", "sh -c\ninside"},
		{"is in the container's cgroup", "", "diff /proc/1/cgroup /proc/self/cgroup && echo same", "same"},
		{"keeps the limits of the container", "", "ulimit -Sn; ulimit -Hn", "512\n768"},
		{"keeps no-new-privileges", "", "awk '/NoNewPrivs/ { print $2 }' /proc/self/status", "1"},
		{"has the container's capabilities", "", capabilityFields,
			sets("0000000000000000", "00000000a80425fb", "00000000a80425fb", "00000000a80425fb", "0000000000000000")},
		{"gives three file descriptors (ls opens a fourth)", "", "exec ls /proc/self/fd", "0\n1\n2\n3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := docker(t)
			name := d.sleeper(t, "--hostname", "inside", "--workdir", "/work", "-e", "OWN=set", "--ulimit", "nofile=512:768",
				"--security-opt", "no-new-privileges")
			equal(t, "output", d.exec(t, c.options+" "+name, "sh", "-c", c.script).ok(t), c.want)
		})
	}
}

func TestDockerExecPassesTheExitCode(t *testing.T) {
	d := docker(t)
	name := d.sleeper(t)
	d.exec(t, name, "sh", "-c", "exit 42").fails(t, 42)
	d.exec(t, name, "sh", "-c", "kill -KILL $$").fails(t, 137)
}

func TestDockerExecPassesStandardInput(t *testing.T) {
	d := docker(t)
	name := d.sleeper(t)
	equal(t, "output", d.feed(t, "one\ntwo\n", "exec", "-i", name, "cat").ok(t), "one\ntwo")
}

func TestDockerExecDetached(t *testing.T) {
	d := docker(t)
	name := d.sleeper(t)
	d.exec(t, "-d "+name, "sh", "-c", "sleep 0.2; echo done >/tmp/mark").ok(t)
	eventually(t, func() error { return d.exec(t, name, "cat", "/tmp/mark").problem("done") })
}

// execNotFound has the exit codes of docker exec for a command that does not exist: 126 up to version 20.10, 127 since.
const execNotFound = "126|127"

func TestDockerExecOfWhatIsNotThere(t *testing.T) {
	d := docker(t)
	name := d.sleeper(t)
	o := d.exec(t, name, "nope")
	o.failsWith(t, execNotFound)
	contains(t, o.out+o.err, `"nope"`, "executable file not found in $PATH")
	o = d.exec(t, name, "/bin/nope")
	o.failsWith(t, execNotFound)
	contains(t, o.out+o.err, "/bin/nope", "no such file or directory")
}

func TestDockerExecOfWhatIsNotExecutable(t *testing.T) {
	d := docker(t)
	name := d.sleeper(t)
	o := d.exec(t, name, "/notexec")
	o.fails(t, 126)
	contains(t, o.out+o.err, "/notexec", "permission denied")
}

func TestDockerExecFailureLeavesTheContainerAlone(t *testing.T) {
	d := docker(t)
	name := d.sleeper(t)
	for range 3 {
		d.exec(t, name, "/bin/nope").failsWith(t, execNotFound)
	}
	equal(t, "output", d.exec(t, name, "echo", "alive").ok(t), "alive")
}

func TestDockerExecInAPausedContainerIsRefused(t *testing.T) {
	d := docker(t)
	name := d.sleeper(t)
	d.do(t, "pause", name).ok(t)
	if o := d.exec(t, name, "true"); o.code == 0 || !strings.Contains(o.out+o.err, "paused") {
		t.Errorf("exec in a paused container: %v", o)
	}
	d.do(t, "unpause", name).ok(t)
	d.exec(t, name, "true").ok(t)
}

func TestDockerExecManyAtOnce(t *testing.T) {
	d := docker(t)
	name := d.sleeper(t)
	var group sync.WaitGroup
	for range 12 {
		group.Go(func() {
			if o := d.exec(t, name, "echo", "out"); o.code != 0 || o.out != "out" {
				t.Errorf("one of twelve: %v", o)
			}
		})
	}
	group.Wait()
}

func TestDockerHealthCheck(t *testing.T) {
	d := docker(t)
	name := d.sleeper(t, "--health-cmd", "test -e /tmp/well", "--health-interval", "200ms", "--health-retries", "2")
	d.awaitState(t, name, ".State.Health.Status", "unhealthy")
	d.exec(t, name, "touch", "/tmp/well").ok(t)
	d.awaitState(t, name, ".State.Health.Status", "healthy")
}

func TestDockerCopiesFromAndToARunningContainer(t *testing.T) {
	d := docker(t)
	name, dir := d.sleeper(t, "--tmpfs", "/scratch"), hostDir(t)
	d.do(t, "cp", dir+"/file", name+":/data/copied").ok(t)
	equal(t, "in the container", d.exec(t, name, "cat", "/data/copied").ok(t), "from the host")
	d.do(t, "cp", name+":/data/kept", dir+"/back").ok(t)
	equal(t, "on the host", execute(t, "", "cat", dir+"/back").ok(t), "from the image")
}
