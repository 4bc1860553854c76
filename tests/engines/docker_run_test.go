// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"os"
	"testing"
)

// A scriptCase is a container that runs a shell script with options of docker run (or podman's, or ctr's), and the
// output that is expected.
type scriptCase struct {
	name    string
	options []string
	script  string
	want    string
}

func TestDockerRun(t *testing.T) {
	for _, c := range []scriptCase{
		{"prints its output", nil, "echo out", "out"},
		{"takes the environment of the image", nil, "echo $PATH $FROM", "/usr/bin:/bin image"},
		{"takes --env", []string{"-e", "A=1", "--env", "B=two words"}, `echo "$A|$B"`, "1|two words"},
		{"takes the working directory of the image", nil, "pwd; cat kept", "/data\nfrom the image"},
		{"takes --workdir and makes it", []string{"--workdir", "/made/here"}, "pwd; ls -d /made/here", "/made/here\n/made/here"},
		{"takes --hostname", []string{"--hostname", "skipper"}, "hostname; uname -n; grep -c skipper /etc/hostname", "skipper\nskipper\n1"},
		{"takes --domainname", []string{"--domainname", "example.test"}, "cat /proc/sys/kernel/domainname", "example.test"},
		{"is process 1 of its own namespace", nil, "echo $$", "1"},
		{"has loopback alone with --network none", nil, "ls /sys/class/net; ip -o link show lo | grep -c LOOPBACK,UP", "lo\n1"},
		{"runs as root by default", nil, "id -u; id -g; echo $HOME", "0\n0\n/home"},
		{"takes --user by name, with its groups", []string{"--user", "app"}, "id -u; id -g; id -G; echo $HOME", "1000\n1000\n1000 2000\n/data"},
		{"takes --user by number", []string{"--user", "1234:4321"}, "id -u; id -g", "1234\n4321"},
		{"takes --group-add", []string{"--group-add", "4242"}, "id -G", "0 4242"},
		{"takes --ulimit", []string{"--ulimit", "nofile=512:768", "--ulimit", "core=0"}, "ulimit -Sn; ulimit -Hn; ulimit -c", "512\n768\n0"},
		{"takes --oom-score-adj", []string{"--oom-score-adj", "321"}, "cat /proc/self/oom_score_adj", "321"},
		{"takes --sysctl of the network namespace", []string{"--sysctl", "net.core.somaxconn=99"}, "cat /proc/sys/net/core/somaxconn", "99"},
		{"takes --sysctl of the IPC namespace", []string{"--sysctl", "kernel.msgmax=1000"}, "cat /proc/sys/kernel/msgmax", "1000"},
		{"takes --entrypoint", []string{"--entrypoint", "/bin/echo"}, "ignored", "-c ignored"},
		{"has the standard devices", nil,
			"for d in null zero full random urandom tty; do test -c /dev/$d || echo no $d; done; echo x >/dev/null; for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done",
			"/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx"},
		{"has /dev/shm of 64 MiB", nil, "df -k /dev/shm | awk 'END { print $1, $2 }'", "shm 65536"},
		{"takes --shm-size", []string{"--shm-size", "8m"}, "df -k /dev/shm | awk 'END { print $2 }'", "8192"},
		{"takes the umask of the runtime's default", nil, "umask", "0022"},
		{"gives three file descriptors (ls opens a fourth)", nil, "exec ls /proc/self/fd", "0\n1\n2\n3"},
		{"ends with no error by default", nil, "true", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := docker(t)
			if c.name == "takes --entrypoint" {
				equal(t, "output", d.run(t, c.options, "-c", "ignored").ok(t), c.want)
				return
			}
			equal(t, "output", d.script(t, c.options, c.script), c.want)
		})
	}
}

func TestDockerRunPassesStandardInput(t *testing.T) {
	d := docker(t)
	o := d.feed(t, "one\ntwo\n", d.runArgs("run", []string{"--rm", "-i"}, "sh", "-c", "cat; echo end")...)
	equal(t, "output", o.ok(t), "one\ntwo\nend")
}

func TestDockerRunSeparatesOutputAndErrors(t *testing.T) {
	o := docker(t).run(t, nil, "sh", "-c", "echo out; echo err >&2")
	equal(t, "stdout", o.out, "out")
	equal(t, "stderr", o.err, "err")
}

func TestDockerRunPassesALargeOutput(t *testing.T) {
	out := docker(t).script(t, nil, "yes 0123456789abcde | head -c 1048576")
	if len(out)+1 != 1<<20 {
		t.Errorf("%d bytes of output, want %d", len(out)+1, 1<<20)
	}
}

func TestDockerRunPassesTheExitCode(t *testing.T) {
	docker(t).run(t, nil, "sh", "-c", "exit 42").fails(t, 42)
}

func TestDockerRunEndsBySignal(t *testing.T) {
	d := docker(t)
	// The init of a pid namespace ignores signals that it sends to itself. With --init the shell is an ordinary
	// process.
	d.run(t, []string{"--init"}, "sh", "-c", "kill -TERM $$").fails(t, 143)
}

func TestDockerRunHasNamespacesOfItsOwn(t *testing.T) {
	d := docker(t)
	for _, kind := range []string{"ipc", "mnt", "net", "pid", "uts"} {
		inside := d.script(t, nil, "readlink /proc/self/ns/"+kind)
		if inside == ownNamespace(t, kind) {
			t.Errorf("the container is in the host's %s namespace, %s", kind, inside)
		}
	}
}

func TestDockerRunJoinsTheHosts(t *testing.T) {
	for _, c := range []struct{ option, kind string }{{"--ipc", "ipc"}, {"--pid", "pid"}, {"--uts", "uts"}, {"--network", "net"}} {
		t.Run(c.kind+" namespace", func(t *testing.T) {
			inside := docker(t).script(t, []string{c.option, "host"}, "readlink /proc/self/ns/"+c.kind)
			equal(t, "namespace", inside, ownNamespace(t, c.kind))
		})
	}
}

func ownNamespace(t *testing.T, kind string) string {
	t.Helper()
	link, err := os.Readlink("/proc/self/ns/" + kind)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func TestDockerRunJoinsThoseOfAnotherContainer(t *testing.T) {
	for _, c := range []struct{ option, kind string }{{"--ipc", "ipc"}, {"--pid", "pid"}, {"--network", "net"}} {
		t.Run(c.kind+" namespace", func(t *testing.T) {
			d := docker(t)
			other := d.sleeper(t, "--ipc", "shareable")
			want := d.exec(t, other, "readlink", "/proc/1/ns/"+c.kind).ok(t)
			inside := d.script(t, []string{c.option, "container:" + other}, "readlink /proc/self/ns/"+c.kind)
			equal(t, "namespace", inside, want)
		})
	}
}

func TestDockerRunTakesCgroupNamespace(t *testing.T) {
	d := docker(t)
	equal(t, "cgroup namespace", d.script(t, []string{"--cgroupns", "host"}, "readlink /proc/self/ns/cgroup"), ownNamespace(t, "cgroup"))
	equal(t, "paths seen from its own", d.script(t, []string{"--cgroupns", "private"}, "cut -d: -f3 /proc/self/cgroup | sort -u"), "/")
}

func TestDockerRunShowsTheCgroupReadOnly(t *testing.T) {
	d := docker(t)
	for _, mode := range []string{"host", "private"} {
		out := d.script(t, []string{"--cgroupns", mode},
			"f=$(find /sys/fs/cgroup -name cgroup.procs | head -1); cat $f >/dev/null && echo readable; echo 1 2>/dev/null >$f || echo read-only")
		equal(t, "--cgroupns "+mode, out, "readable\nread-only")
	}
}

func TestDockerRunInit(t *testing.T) {
	d := docker(t)
	out := d.script(t, []string{"--init"}, "tr '\\0' ' ' </proc/1/cmdline | cut -d' ' -f1; test $$ != 1 && echo child")
	equal(t, "process 1, and the shell", out, "/sbin/docker-init\nchild")
}

func TestDockerRunInitReapsOrphans(t *testing.T) {
	d := docker(t)
	out := d.script(t, []string{"--init"}, "(sh -c 'sleep 0.2 & exit' &); sleep 1; grep -l 'State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l")
	equal(t, "zombies", out, "0")
}
