// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// nestedScript runs containers inside a container, whose cgroups it makes writable. With cgroup v2 it first moves
// itself to a cgroup of its own: a cgroup that contains processes cannot enable controllers for its children.
const nestedScript = `set -e
for m in $(awk '$3 ~ /^cgroup/ { print $2 }' /proc/mounts); do mount -o remount,bind,rw $m 2>/dev/null || true; done
top=/sys/fs/cgroup
if [ -e $top/cgroup.procs ] && mkdir $top/outer 2>/dev/null; then echo $$ >$top/outer/cgroup.procs; fi
skiff() { /nested/runtime --root /tmp/state "$@"; }
cp -a /nested/bundle /tmp/bundle
cd /tmp/bundle
skiff run inner
touch rootfs/stay
skiff run -d inner >/tmp/said 2>&1
until [ -s /tmp/said ]; do sleep 0.1; done
cat /tmp/said
skiff exec inner echo exec
skiff kill inner
until skiff state inner | grep -q '"stopped"'; do sleep 0.1; done
skiff delete inner
echo left: $(find $top -name inner)`

const nestedSays = "process 1\nprocess 1\nexec\nleft:"

// nestedFiles prepares a bundle, and returns the options that mount it and the runtime into a container that runs
// containers.
func nestedFiles(t *testing.T) (options []string) {
	t.Helper()
	if err := static(world.runtime); err != nil {
		t.Skip(err)
	}
	bundle := t.TempDir()
	reachable(t, bundle)
	if err := os.Mkdir(filepath.Join(bundle, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	execute(t, "", "tar", "-xf", rootTar, "-C", filepath.Join(bundle, "rootfs"), "--exclude", "bin/probe").ok(t)
	execute(t, "", world.runtime, "spec", "--bundle", bundle).ok(t)
	patchSpec(t, bundle, func(spec object) {
		process := spec["process"].(object)
		process["terminal"] = false
		process["capabilities"] = object{} // so it gets those of the outer container
		process["args"] = []string{"sh", "-c", "echo process $$; trap exit TERM; while [ -e /stay ]; do sleep 0.1; done"}
	})
	return []string{"-v", bundle + ":/nested/bundle", "-v", world.runtime + ":/nested/runtime:ro"}
}

// patchSpec changes the configuration of a bundle.
func patchSpec(t *testing.T, bundle string, change func(spec object)) {
	t.Helper()
	path := filepath.Join(bundle, "config.json")
	var spec object
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &spec)
	}
	if err != nil {
		t.Fatal(err)
	}
	change(spec)
	if data, err = json.Marshal(spec); err == nil {
		err = os.WriteFile(path, data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The options with which an unprivileged container can run containers.
var nestedCapabilities = []string{"--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--cap-add", "MKNOD",
	"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"}

func TestDockerNested(t *testing.T) {
	for _, c := range nestedCases {
		t.Run(c.name, func(t *testing.T) {
			c.need(t)
			options := slices.Concat(c.options, nestedFiles(t))
			equal(t, "output", docker(t).script(t, options, nestedScript), nestedSays)
		})
	}
}

func TestPodmanNested(t *testing.T) {
	for _, c := range nestedCases {
		t.Run(c.name, func(t *testing.T) {
			c.need(t)
			options := slices.Concat(c.options, nestedFiles(t))
			equal(t, "output", podman(t).script(t, options, nestedScript), nestedSays)
		})
	}
}

var nestedCases = []struct {
	name    string
	options []string
	need    func(*testing.T)
}{
	{"with capabilities", nestedCapabilities, func(*testing.T) {}},
	{"privileged", []string{"--privileged"}, needAllCapabilities},
}

// In a user namespace the kernel allows mounting proc only if nothing covers parts of the existing one.
func TestPodmanUserNested(t *testing.T) {
	for _, c := range []struct {
		name    string
		options []string
	}{
		{"with capabilities", append([]string{"--security-opt", "unmask=ALL"}, nestedCapabilities...)},
		{"privileged", []string{"--privileged"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := slices.Concat(c.options, nestedFiles(t))
			equal(t, "output", userPodman(t).user(t, options, nestedScript), nestedSays)
		})
	}
}
