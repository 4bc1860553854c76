// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Without a cgroup namespace a container sees all of cgroup v2, and /proc/PID/cgroup has the path of its cgroup in it.
func TestDockerCgroupNamespaceOfTheHost(t *testing.T) {
	if !world.cgroups.pure() {
		t.Skipf("a container sees all of cgroup v2 alone: %v", world.cgroups)
	}
	const script = "ls -d /sys/fs/cgroup/*/; cat /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/cgroup.procs | grep -c ."
	d := docker(t)
	for _, runtime := range []string{"tested", "runc"} {
		t.Run(runtime, func(t *testing.T) {
			out := d.script(t, []string{"--runtime", runtime, "--cgroupns", "host"}, script)
			contains(t, out, topCgroups(t)...)
			if strings.HasSuffix(out, "\n0") {
				t.Errorf("no process in the container's own cgroup:\n%s", out)
			}
		})
	}
}

// topCgroups returns the directories of cgroup v2's root that have processes in or below them, and so do not vanish.
func topCgroups(t *testing.T) (dirs []string) {
	t.Helper()
	all, err := filepath.Glob(world.cgroups.unified + "/*/cgroup.events")
	if err != nil || len(all) == 0 {
		t.Fatalf("no cgroups below %s: %v", world.cgroups.unified, err)
	}
	for _, path := range all {
		if events, _ := os.ReadFile(path); strings.Contains(string(events), "populated 1") {
			dirs = append(dirs, "/sys/fs/cgroup/"+filepath.Base(filepath.Dir(path))+"/")
		}
	}
	return dirs
}
