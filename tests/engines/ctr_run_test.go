// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestCtrRun(t *testing.T) {
	const none = "0000000000000000"
	for _, c := range []scriptCase{
		{"prints its output", nil, "echo out", "out"},
		{"takes the environment of the image", nil, "echo $PATH $FROM", "/usr/bin:/bin image"},
		{"takes --env", []string{"--env", "A=1", "--env", "B=two words"}, `echo "$A|$B"`, "1|two words"},
		{"takes the working directory of the image", nil, "pwd; cat kept", "/data\nfrom the image"},
		{"takes --cwd", []string{"--cwd", "/tmp"}, "pwd", "/tmp"},
		{"is process 1 of its own namespace", nil, "echo $$", "1"},
		{"takes --read-only", []string{"--read-only"}, "touch /x 2>&1 || true", "touch: /x: Read-only file system"},
		{"takes --net-host", []string{"--net-host"}, "readlink /proc/self/ns/net", "HOST net"},
		{"takes --with-ns", []string{"--with-ns", "uts:/proc/self/ns/uts"}, "readlink /proc/self/ns/uts", "HOST uts"},
		{"takes --cap-drop", []string{"--cap-drop", "CAP_SYS_CHROOT", "--cap-drop", "CAP_MKNOD"}, "awk '/CapBnd/ { print $2 }' /proc/self/status", "00000000a00025fb"},
		{"takes --cap-add", []string{"--cap-add", "CAP_NET_ADMIN"}, "awk '/CapBnd/ { print $2 }' /proc/self/status", "00000000a80435fb"},
		{"gives no ambient capabilities", nil, "awk '/CapAmb/ { print $2 }' /proc/self/status", none},
		{"has no new privileges", nil, "awk '/NoNewPrivs/ { print $2 }' /proc/self/status", "1"},
		{"takes --allow-new-privs", []string{"--allow-new-privs"}, "awk '/NoNewPrivs/ { print $2 }' /proc/self/status", "0"},
		{"takes --seccomp", []string{"--seccomp"}, "awk '/Seccomp:/ { print $2 }' /proc/self/status; unshare -U true 2>/dev/null || echo refused", "2\nrefused"},
		{"takes --device", []string{"--device", "/dev/kmsg"}, "true >/dev/kmsg && echo opened", "opened"},
		{"refuses other devices", nil, "mknod /tmp/kmsg c 1 11 && echo made; echo x 2>/dev/null >/tmp/kmsg || echo refused", "made\nrefused"},
		{"limits open files to 1024", nil, "ulimit -n", "1024"},
		{"masks the kernel's files", nil, maskedScript, "0 from /proc/kcore"},
		{"gives three file descriptors (ls opens a fourth)", nil, "exec ls /proc/self/fd", "0\n1\n2\n3"},
		{"takes --rootfs-propagation", []string{"--rootfs-propagation", "shared"}, "awk '$5 == \"/\" { print $7 ~ /^shared:/ }' /proc/self/mountinfo", "1"},
		{"takes --no-pivot", []string{"--no-pivot"}, "cat /data/kept; ls -d /etc/debian_version 2>/dev/null || true", "from the image"},
		{"takes --annotation", []string{"--annotation", "org.example=x"}, "echo out", "out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := c.want
			if kind, ok := strings.CutPrefix(want, "HOST "); ok {
				want = ownNamespace(t, kind)
			}
			equal(t, "output", ctr(t).script(t, c.options, c.script), want)
		})
	}
}

func TestCtrRunPassesTheExitCode(t *testing.T) {
	ctr(t).run(t, nil, "sh", "-c", "echo out; echo err >&2; exit 42").fails(t, 42, "err")
}

func TestCtrRunMounts(t *testing.T) {
	c, dir := ctr(t), hostDir(t)
	mount := "type=bind,src=" + dir + ",dst="
	equal(t, "writable", c.script(t, []string{"--mount", mount + "/mnt/made,options=rbind:rw"}, "cat /mnt/made/file; echo back >/mnt/made/new"), "from the host")
	equal(t, "read-only", c.script(t, []string{"--mount", mount + "/mnt,options=rbind:ro"}, "cat /mnt/new; touch /mnt/x 2>&1 || true"),
		"back\ntouch: /mnt/x: Read-only file system")
	// ctr does not resolve the destination: the runtime must follow the link within the container's root.
	equal(t, "through a link", c.script(t, []string{"--mount", mount + "/link/sub,options=rbind:rw"}, "cat /target/sub/file"), "from the host")
	equal(t, "tmpfs", c.script(t, []string{"--mount", "type=tmpfs,dst=/scratch,options=size=1m:mode=1711:noexec"},
		"stat -c %a /scratch; df -k /scratch | awk 'END { print $2 }'; grep -c ' /scratch .*noexec' /proc/self/mounts"), "1711\n1024\n1")
}

func TestCtrRunLimits(t *testing.T) {
	memory := limitCase{"memory", []string{"--memory-limit", "67108864"}, limitCases[0].settings[:1]}
	for _, cpu := range [][]string{{"--cpu-quota", "50000", "--cpu-period", "100000"}, {"--cpus", "0.5"}} {
		t.Run(cpu[0], func(t *testing.T) {
			cases := available(memory, limitCase{"cpus", cpu, limitCases[2].settings})
			c := ctr(t)
			// ctr does not mount a cgroup file system by itself.
			mount := []string{"--mount", "type=cgroup,src=cgroup,dst=/sys/fs/cgroup,options=ro:nosuid:noexec:nodev"}
			id := c.sleeper(t, append(mount, optionsOf(cases)...)...)
			pid, _ := c.status(t, id)
			expectPlace(t, pid)
			expectLimits(t, cases, pid, func(script string) outcome { return c.exec(t, id, nil, "sh", "-c", script) })
		})
	}
}

func TestCtrRunWithASystemdStyleConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.json")
	root := filepath.Join(t.TempDir(), "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	execute(t, "", "tar", "-xf", rootTar, "-C", root).ok(t)
	var spec map[string]any
	bundle := t.TempDir()
	execute(t, "", world.runtime, "spec", "--bundle", bundle).ok(t)
	data, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	if err == nil {
		err = json.Unmarshal(data, &spec)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := ctr(t)
	id := c.reserve(t)
	spec["process"].(map[string]any)["args"] = []string{"sh", "-c", "echo configured; pwd"}
	spec["process"].(map[string]any)["terminal"] = false
	spec["process"].(map[string]any)["rlimits"] = []any{}
	spec["root"] = map[string]any{"path": root, "readonly": true}
	spec["linux"].(map[string]any)["cgroupsPath"] = world.cgroup + "/" + id
	data, err = json.Marshal(spec)
	if err == nil {
		err = os.WriteFile(file, data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	o := c.do(t, "run", "--rm", "--runc-binary", world.runtime, "--runc-root", filepath.Join(base, "runtime"), "--config", file, id)
	equal(t, "output", o.ok(t), "configured\n/")
}

func TestCtrRunOverAFolder(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	execute(t, "", "tar", "-xf", rootTar, "-C", root).ok(t)
	c := ctr(t)
	id := c.reserve(t)
	args := []string{"run", "--rm", "--runc-binary", world.runtime, "--runc-root", filepath.Join(base, "runtime"),
		"--cgroup", world.cgroup + "/" + id, "--rootfs", root, id, "/bin/cat", "/data/kept"}
	equal(t, "output", c.do(t, args...).ok(t), "from the image")
}

func TestCtrRunWritesThePidFile(t *testing.T) {
	c, file := ctr(t), filepath.Join(t.TempDir(), "pid")
	pid, _ := c.status(t, c.sleeper(t, "--pid-file", file))
	data, err := os.ReadFile(file)
	if err != nil || strings.TrimSpace(string(data)) != pid {
		t.Errorf("the pid file has %q (%v), the task list %s", data, err, pid)
	}
}

func TestCtrRunWithoutACgroupOfItsOwnChoice(t *testing.T) {
	if bySystemd() {
		t.Skip("ctr: option --runc-systemd-cgroup requires --cgroup to be set")
	}
	// With "" the configuration has no cgroup path: the runtime chooses one.
	c := ctr(t)
	id := c.sleeper(t, "--cgroup", "")
	pid, state := c.status(t, id)
	equal(t, "state", state, "RUNNING")
	if path := cgroupOf(t, pid, ""); world.cgroups.pure() && strings.HasSuffix(path, "/harness") {
		t.Errorf("the container shares the cgroup %s with the daemon", path)
	}
}

func TestCtrRunOfWhatCannotRun(t *testing.T) {
	for _, r := range []struct {
		name, command string
		words         []string
	}{
		{"a name not in PATH", "nope", []string{`exec: "nope"`, "executable file not found in $PATH"}},
		{"a missing path", "/bin/nope", []string{"/bin/nope", "no such file or directory"}},
		{"a file that is not executable", "/notexec", []string{"/notexec", "permission denied"}},
	} {
		t.Run(r.name, func(t *testing.T) {
			ctr(t).run(t, nil, r.command).fails(t, 1, r.words...)
		})
	}
}

func TestCtrRunInATerminal(t *testing.T) {
	c := ctr(t)
	term := onTerminal(t, 33, 101, slices.Concat(c.client, c.runArgs(c.reserve(t), []string{"--rm", "-t"}, shell...))...)
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

func TestCtrRunPrivileged(t *testing.T) {
	needAllCapabilities(t)
	equal(t, "output", ctr(t).script(t, []string{"--privileged"}, "mount -t tmpfs none /tmp && echo mounted"), "mounted")
}

func TestCtrRunManyAtOnce(t *testing.T) {
	c := ctr(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if o := c.run(t, nil, "echo", "out"); o.code != 0 || o.out != "out" {
				t.Errorf("one of eight: %v", o)
			}
		})
	}
	group.Wait()
}
