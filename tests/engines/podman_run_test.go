// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPodmanRun(t *testing.T) {
	for _, c := range []scriptCase{
		{"prints its output", nil, "echo out", "out"},
		{"takes the environment of the image", nil, "echo $PATH $FROM", "/usr/bin:/bin image"},
		{"takes --env", []string{"-e", "A=1", "--env", "B=two words"}, `echo "$A|$B"`, "1|two words"},
		{"takes the working directory of the image", nil, "pwd; cat kept", "/data\nfrom the image"},
		{"takes --workdir", []string{"--workdir", "/tmp"}, "pwd", "/tmp"},
		{"takes --hostname", []string{"--hostname", "skipper"}, "hostname; uname -n", "skipper\nskipper"},
		{"is process 1 of its own namespace", nil, "echo $$", "1"},
		{"runs as root by default", nil, "id -u; id -g; echo $HOME", "0\n0\n/home"},
		{"takes --user by name, with its groups", []string{"--user", "app"}, "id -u; id -g; id -G; echo $HOME", "1000\n1000\n1000 2000\n/data"},
		{"takes --user by number", []string{"--user", "1234:4321"}, "id -u; id -g", "1234\n4321"},
		{"takes --group-add", []string{"--group-add", "4242"}, "id -G", "0 4242"},
		{"takes --ulimit", []string{"--ulimit", "nofile=512:768", "--ulimit", "nproc=4096:4096"}, "ulimit -Sn; ulimit -Hn", "512\n768"},
		{"takes --oom-score-adj", []string{"--oom-score-adj", "321"}, "cat /proc/self/oom_score_adj", "321"},
		{"takes --umask", []string{"--umask", "0077"}, "umask", "0077"},
		{"takes --sysctl", []string{"--sysctl", "net.core.somaxconn=99", "--sysctl", "kernel.msgmax=1000"},
			"cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax", "99\n1000"},
		{"takes --shm-size", []string{"--shm-size", "8m"}, "df -k /dev/shm | awk 'END { print $2 }'", "8192"},
		{"has the standard devices", nil, "for d in null zero full random urandom tty; do test -c /dev/$d || echo no $d; done; for l in fd ptmx; do readlink /dev/$l; done",
			"/proc/self/fd\npts/ptmx"},
		{"gives three file descriptors (ls opens a fourth)", nil, "exec ls /proc/self/fd", "0\n1\n2\n3"},
		{"takes --read-only, with writable folders", []string{"--read-only"},
			"touch /data/x 2>&1; touch /tmp/x /run/x /dev/shm/x && echo wrote", "touch: /data/x: Read-only file system\nwrote"},
		{"takes --read-only without writable folders", []string{"--read-only", "--read-only-tmpfs=false"},
			"touch /tmp/x 2>&1 || true", "touch: /tmp/x: Read-only file system"},
		{"takes --tmpfs, with a copy of what it covers", []string{"--tmpfs", "/data:size=1m"},
			"cat /data/kept; df -k /data | awk 'END { print $1, $2 }'", "from the image\ntmpfs 1024"},
		{"takes --tmpfs without a copy", []string{"--mount", "type=tmpfs,dst=/data,notmpcopyup,tmpfs-mode=1711"},
			"ls -A /data; stat -c %a /data", "1711"},
		{"takes --init", []string{"--init"}, "tr '\\0' '\\n' </proc/1/cmdline | head -n 1; test $$ != 1 && echo child", "/run/podman-init\nchild"},
		{"takes --network host", []string{"--network", "host"}, "readlink /proc/self/ns/net", "HOST net"},
		{"takes --pid host", []string{"--pid", "host"}, "readlink /proc/self/ns/pid", "HOST pid"},
		{"takes --ipc host", []string{"--ipc", "host"}, "readlink /proc/self/ns/ipc", "HOST ipc"},
		{"takes --uts host", []string{"--uts", "host"}, "readlink /proc/self/ns/uts", "HOST uts"},
		{"takes --cgroupns host", []string{"--cgroupns", "host"}, "readlink /proc/self/ns/cgroup", "HOST cgroup"},
		{"takes --cgroupns private", []string{"--cgroupns", "private"}, "cut -d: -f3 /proc/self/cgroup | sort -u", "/"},
		{"masks the kernel's files", nil, maskedScript, "0 from /proc/kcore"},
		{"takes --security-opt mask=", []string{"--security-opt", "mask=/proc/version:/data"}, "cat /proc/version; ls /data", ""},
		{"takes --security-opt unmask=", []string{"--security-opt", "unmask=/proc/kcore"}, "grep -c ' /proc/kcore ' /proc/self/mountinfo || true", "0"},
		{"keeps /proc/sys read-only", nil, "echo h 2>/dev/null >/proc/sys/kernel/hostname || echo refused", "refused"},
		{"takes --device", []string{"--device", "/dev/kmsg:/dev/given:w"}, "true >/dev/given && echo opened", "opened"},
		{"refuses other devices", []string{"--cap-add", "MKNOD"}, "mknod /tmp/kmsg c 1 11 && echo made; echo x 2>/dev/null >/tmp/kmsg || echo refused", "made\nrefused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := c.want
			if kind, ok := strings.CutPrefix(want, "HOST "); ok {
				want = ownNamespace(t, kind)
			}
			equal(t, "output", podman(t).script(t, c.options, c.script), want)
		})
	}
}

func TestPodmanRunPassesStandardInput(t *testing.T) {
	p := podman(t)
	o := p.feed(t, "one\ntwo\n", p.runArgs("run", []string{"--rm", "-i"}, "sh", "-c", "cat; echo end")...)
	equal(t, "output", o.ok(t), "one\ntwo\nend")
}

func TestPodmanRunSeparatesOutputAndErrors(t *testing.T) {
	o := podman(t).run(t, nil, "sh", "-c", "echo out; echo err >&2")
	equal(t, "stdout", o.out, "out")
	equal(t, "stderr", o.err, "err")
}

func TestPodmanRunPassesTheExitCode(t *testing.T) {
	p := podman(t)
	p.run(t, nil, "sh", "-c", "exit 42").fails(t, 42)
	p.run(t, []string{"--init"}, "sh", "-c", "kill -TERM $$").fails(t, 143)
}

// podman takes the message from the runtime's log or, if there is none, from its stderr, and derives the exit code from
// it.
func TestPodmanRunOf(t *testing.T) {
	for _, c := range []struct {
		name    string
		command string
		code    int
		words   []string
	}{
		{"a name not in PATH", "nope", 127, []string{"nope", "not found"}},
		{"a missing path", "/bin/nope", 127, []string{"/bin/nope", "no such file or directory"}},
		{"a file that is not executable", "/notexec", 126, []string{"/notexec", "permission denied"}},
		{"a directory", "/data", 126, []string{"/data"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			podman(t).run(t, nil, c.command).fails(t, c.code, c.words...)
		})
	}
}

func TestPodmanRunWithAFileMountedOnADirectory(t *testing.T) {
	file := filepath.Join(hostDir(t), "file")
	o := podman(t).run(t, []string{"-v", file + ":/data"}, "true")
	if o.code == 0 {
		t.Errorf("no error: %v", o)
	}
	contains(t, strings.ToLower(o.err), "not a directory", "/data")
}

func TestPodmanRunVolumes(t *testing.T) {
	p, dir := podman(t), hostDir(t)
	equal(t, "writable", p.script(t, []string{"-v", dir + ":/mnt"}, "cat /mnt/file; echo back >/mnt/new"), "from the host")
	equal(t, "read-only", p.script(t, []string{"-v", dir + ":/mnt:ro"}, "cat /mnt/new; touch /mnt/x 2>&1 || true"),
		"back\ntouch: /mnt/x: Read-only file system")
	equal(t, "noexec", p.script(t, []string{"-v", dir + ":/mnt:noexec,nodev,nosuid"}, "grep -c ' /mnt .*nosuid,nodev,noexec' /proc/self/mounts"), "1")
	equal(t, "through a link", p.script(t, []string{"-v", dir + ":/link/sub"}, "cat /target/sub/file"), "from the host")
}

func TestPodmanRunVolumePropagation(t *testing.T) {
	for _, c := range []struct{ mode, want string }{{"rprivate", ""}, {"rslave", "below"}, {"rshared", "below"}} {
		t.Run(c.mode, func(t *testing.T) {
			p, dir := podman(t), sharedMount(t)
			name := p.sleeper(t, "-v", dir+":/mnt:"+c.mode)
			mountTmpfs(t, filepath.Join(dir, "late"))
			equal(t, "a mount made on the host later", p.exec(t, name, "ls", "/mnt/late").ok(t), c.want)
		})
	}
}

func TestPodmanRunOverAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "root")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	execute(t, "", "tar", "-xf", rootTar, "-C", dir).ok(t)
	p := podman(t)
	equal(t, "output", p.run(t, []string{"--rootfs", dir}, "/bin/cat", "/data/kept").ok(t), "from the image")
}

func TestPodmanRunPreservesFileDescriptors(t *testing.T) {
	p := podman(t)
	arguments := slices.Concat(p.client, p.runArgs("run", []string{"--rm", "--preserve-fds", "2"}, "sh", "-c", "cat <&3; cat <&4"))
	script := strings.Join(arguments[:len(arguments)-1], " ") + ` 'cat <&3; cat <&4' 3<$0/file 4</proc/sys/kernel/ostype`
	equal(t, "output", execute(t, "", "sh", "-c", script, hostDir(t)).ok(t), "from the host\nLinux")
}

func TestPodmanRunJoinsAnotherContainer(t *testing.T) {
	for _, kind := range []string{"ipc", "pid", "net", "uts"} {
		t.Run(kind+" namespace", func(t *testing.T) {
			p := podman(t)
			other := p.sleeper(t, "--ipc", "shareable")
			option := map[string]string{"ipc": "--ipc", "pid": "--pid", "net": "--network", "uts": "--uts"}[kind]
			want := p.exec(t, other, "readlink", "/proc/1/ns/"+kind).ok(t)
			equal(t, "namespace", p.script(t, []string{option, "container:" + other}, "readlink /proc/self/ns/"+kind), want)
		})
	}
}

func TestPodmanRunLimits(t *testing.T) {
	throttle := throttleCase()
	if len(throttle.settings) == 0 {
		t.Run(throttle.name, func(t *testing.T) { t.Skip("no block device of /sys/block but loop devices has a node in /dev") })
	}
	cases := available(append(limitCases, throttle)...)
	p := podman(t)
	name := p.sleeper(t, optionsOf(cases)...)
	pid := p.inspect(t, name, ".State.Pid")
	expectPlace(t, pid)
	expectLimits(t, cases, pid, func(script string) outcome { return p.exec(t, name, "sh", "-c", script) })
}

func TestPodmanUpdate(t *testing.T) {
	needCommand(t, "update")
	needController(t, "memory")
	p := podman(t)
	name := p.sleeper(t, "--memory", "128m", "--memory-swap", "128m")
	if o := p.do(t, "update", "--help"); o.code != 0 {
		t.Skipf("this podman has no update: %v", o)
	}
	p.do(t, "update", "--memory", "64m", "--memory-swap", "64m", name).ok(t)
	limitCases[0].settings[0].expect(t, p.inspect(t, name, ".State.Pid"))
}

func TestPodmanRunOutOfMemory(t *testing.T) {
	needController(t, "memory")
	p := podman(t)
	name := p.reserve(t)
	p.do(t, p.runArgs("run", []string{"--name", name, "--memory", "32m", "--memory-swap", "32m"}, "probe", "memory", "100000000")...).fails(t, 137)
	equal(t, "inspect", p.inspect(t, name, ".State.ExitCode"), "137")
}

func TestPodmanRunCapabilities(t *testing.T) {
	const none, added = "0000000000000000", "0000000000001000"
	p := podman(t)
	equal(t, "dropped", p.script(t, []string{"--cap-drop", "all"}, capabilityFields), sets(none, none, none, none, none))
	options := []string{"--cap-drop", "all", "--cap-add", "net_admin"}
	equal(t, "dropped but one", p.script(t, options, capabilityFields), sets(none, added, added, added, none))
	// For an ordinary user, podman makes the capabilities that were asked for by name ambient.
	equal(t, "of an ordinary user", p.script(t, append(options, "--user", "app"), capabilityFields), sets(added, added, added, added, added))
}

func TestPodmanRunSeccomp(t *testing.T) {
	const mode = "awk '/Seccomp:/ { print $2 }' /proc/self/status"
	p := podman(t)
	equal(t, "default", p.script(t, nil, mode), "2")
	equal(t, "unconfined", p.script(t, []string{"--security-opt", "seccomp=unconfined"}, mode), "0")
	file := profile(t, `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}`)
	equal(t, "of a file", p.script(t, []string{"--security-opt", "seccomp=" + file}, "mkdir /tmp/d 2>&1 || true"),
		"mkdir: can't create directory '/tmp/d': No space left on device")
	equal(t, "no new privileges", p.script(t, []string{"--security-opt", "no-new-privileges"}, "awk '/NoNewPrivs/ { print $2 }' /proc/self/status"), "1")
}

func TestPodmanRunsHooks(t *testing.T) {
	p, dir := podman(t), t.TempDir()
	stages := []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}
	for _, stage := range stages {
		// The folder is mounted at the same path in the container, where startContainer is looked up and run.
		hook := map[string]any{
			"version": "1.0.0", "when": map[string]any{"always": true}, "stages": []string{stage},
			"hook": map[string]any{"path": "/bin/busybox", "args": []string{"sh", "-c", "cat >>" + dir + "/" + stage}},
		}
		data, err := json.Marshal(hook)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, stage+".json"), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	options := []string{"--hooks-dir", dir}
	args := slices.Concat(p.client, options, p.runArgs("run", []string{"--rm", "-v", dir + ":" + dir}, "true"))
	execute(t, "", args...).ok(t)
	eventually(t, func() error {
		for _, stage := range stages {
			if err := hookState(filepath.Join(dir, stage)); err != nil {
				return fmt.Errorf("%s: %w", stage, err)
			}
		}
		return nil
	})
}

// hookState returns an error unless the file has a complete state of the container.
func hookState(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var state struct{ OCIVersion, ID, Status, Bundle string }
	if err := json.Unmarshal(data, &state); err != nil {
		return err
	}
	if state.OCIVersion == "" || state.ID == "" || state.Status == "" || state.Bundle == "" {
		return fmt.Errorf("incomplete state %s", data)
	}
	return nil
}
