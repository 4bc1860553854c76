// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"os"
	"path/filepath"
	"testing"
)

// capabilityFields prints the five capability sets of /proc/self/status.
const capabilityFields = `awk '/^Cap/ { printf "%s%s ", $1, $2 }' /proc/self/status`

func TestDockerCapabilities(t *testing.T) {
	const none, standard = "0000000000000000", "00000000a80425fb"
	for _, c := range []struct {
		name    string
		options []string
		want    string
	}{
		{"default", nil, sets(none, standard, standard, standard, none)},
		{"of an ordinary user", []string{"--user", "app"}, sets(none, none, none, standard, none)},
		{"dropped", []string{"--cap-drop", "ALL"}, sets(none, none, none, none, none)},
		{"dropped but one", []string{"--cap-drop", "ALL", "--cap-add", "NET_ADMIN"},
			sets(none, "0000000000001000", "0000000000001000", "0000000000001000", none)},
		{"added", []string{"--cap-add", "SYS_PTRACE"}, sets(none, "00000000a80c25fb", "00000000a80c25fb", "00000000a80c25fb", none)},
	} {
		t.Run(c.name, func(t *testing.T) {
			equal(t, "capabilities", docker(t).script(t, c.options, capabilityFields), c.want)
		})
	}
}

// sets returns what capabilityFields prints for these sets.
func sets(inheritable, permitted, effective, bounding, ambient string) string {
	return "CapInh:" + inheritable + " CapPrm:" + permitted + " CapEff:" + effective + " CapBnd:" + bounding + " CapAmb:" + ambient
}

func TestDockerPrivileged(t *testing.T) {
	needAllCapabilities(t)
	out := docker(t).script(t, []string{"--privileged"}, "mount -t tmpfs none /mnt 2>/dev/null || mkdir /mnt && mount -t tmpfs none /mnt && echo mounted; grep Seccomp: /proc/self/status | cut -f2")
	equal(t, "output", out, "mounted\n0")
}

func TestDockerNoNewPrivileges(t *testing.T) {
	const script = "grep NoNewPrivs /proc/self/status | cut -f2"
	d := docker(t)
	equal(t, "default", d.script(t, nil, script), "0")
	equal(t, "with the option", d.script(t, []string{"--security-opt", "no-new-privileges"}, script), "1")
	equal(t, "as an ordinary user", d.script(t, []string{"--user", "app", "--security-opt", "no-new-privileges"}, script), "1")
}

func TestDockerSeccompDefaultProfile(t *testing.T) {
	d := docker(t)
	equal(t, "mode", d.script(t, nil, "grep Seccomp: /proc/self/status | cut -f2"), "2")
	equal(t, "a new user namespace", d.script(t, nil, "unshare -U true 2>&1 || true"), "unshare: unshare(0x10000000): Operation not permitted")
	equal(t, "mode, as an ordinary user", d.script(t, []string{"--user", "app"}, "grep Seccomp: /proc/self/status | cut -f2"), "2")
}

func TestDockerSeccompOpensUpWithCapabilities(t *testing.T) {
	// The profile allows mount(2) if the container has CAP_SYS_ADMIN.
	options := []string{"--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined"}
	equal(t, "output", docker(t).script(t, options, "mount -t tmpfs none /tmp && echo mounted"), "mounted")
}

func TestDockerSeccompErrorNumbers(t *testing.T) {
	needX86(t)
	// keyctl (250) is not in the profile: EPERM. clone3 (435) is, with ENOSYS, so that the C library falls back to
	// clone. 9999 is newer than any profile: the runtime must make it fail with ENOSYS, since a library that tries
	// a new call would not fall back at EPERM.
	out := docker(t).run(t, nil, "probe", "syscall", "250", "435", "9999").ok(t)
	equal(t, "errors", out, "250 EPERM\n435 ENOSYS\n9999 ENOSYS")
}

func TestDockerSeccompUnconfined(t *testing.T) {
	out := docker(t).script(t, []string{"--security-opt", "seccomp=unconfined"}, "grep Seccomp: /proc/self/status | cut -f2")
	equal(t, "mode", out, "0")
}

// profile writes a seccomp profile to a file and returns its path.
func profile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "profile.json")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDockerSeccompProfile(t *testing.T) {
	for _, c := range []struct{ name, profile, want string }{
		{"error number", `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
			{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}`,
			"mkdir: can't create directory '/tmp/d': No space left on device\nmode 2"},
		{"default error number", `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
			{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}`,
			"mkdir: can't create directory '/tmp/d': Operation not permitted\nmode 2"},
		{"argument that matches", `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"],
			"action": "SCMP_ACT_ERRNO", "errnoRet": 28, "args": [{"index": 1, "value": 511, "op": "SCMP_CMP_EQ"}]}]}`,
			"mkdir: can't create directory '/tmp/d': No space left on device\nmode 2"},
		{"argument that does not match", `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"],
			"action": "SCMP_ACT_ERRNO", "errnoRet": 28, "args": [{"index": 1, "value": 510, "op": "SCMP_CMP_EQ"}]}]}`,
			"made\nmode 2"},
		// An unknown call with an action that denies it is an error: the profile would not do what it says.
		{"names that no kernel has", `{"defaultAction": "SCMP_ACT_LOG", "syscalls": [
			{"names": ["not_a_system_call"], "action": "SCMP_ACT_ALLOW"}]}`, "made\nmode 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			script := "mkdir /tmp/d 2>&1 && echo made; awk '/Seccomp:/ { print \"mode\", $2 }' /proc/self/status"
			options := []string{"--security-opt", "seccomp=" + profile(t, c.profile)}
			equal(t, "output", docker(t).script(t, options, script), c.want)
		})
	}
}

func TestDockerSeccompProfileKills(t *testing.T) {
	file := profile(t, `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS"}]}`)
	docker(t).run(t, []string{"--security-opt", "seccomp=" + file}, "mkdir", "/tmp/d").fails(t, 128+31)
}

func TestDockerSeccompHoldsInExec(t *testing.T) {
	d := docker(t)
	name := d.sleeper(t)
	equal(t, "mode", d.exec(t, name, "awk", "/Seccomp:/ { print $2 }", "/proc/self/status").ok(t), "2")
}
