// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// stateDirs has patterns for the state folders in which containerd's shims and the runtime keep one entry per
// container. traces adds /run/NAME, the runtime's default root.
var stateDirs = []string{
	filepath.Join(base, "runtime", "*", "*"),                      // ctr --runc-root
	filepath.Join(base, "dockerd", "exec", "runtime-*", "*", "*"), // dockerd --exec-root
	filepath.Join(base, "*", "state", "io.containerd.runtime.v2.task", "*", "*"),
	filepath.Join("/run/containerd/runc/k8s.io", "*"), // the shim's default for --root
}

// watch records the state of the host, and fails the test if at its end anything is left of its containers: a cgroup, a
// mount, a state folder, a process. Call it before anything that starts a container.
func watch(t *testing.T) {
	t.Helper()
	before := world.traces()
	t.Cleanup(func() {
		var extra []string
		for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if extra = beyond(world.traces(), before); len(extra) == 0 {
				return
			}
		}
		t.Errorf("left behind, after 15 s:\n  %s", strings.Join(extra, "\n  "))
	})
}

// beyond returns the entries of now that are not in before; both may have an entry several times.
func beyond(now, before []string) (extra []string) {
	known := slices.Clone(before)
	for _, entry := range now {
		if i := slices.Index(known, entry); i >= 0 {
			known = slices.Delete(known, i, i+1)
		} else {
			extra = append(extra, entry)
		}
	}
	return extra
}

// traces lists the cgroups, mounts, state folders and processes of the run.
func (w *setup) traces() (list []string) {
	for _, dir := range w.ownCgroups() {
		// podman keeps its own cgroup for the monitors, and the parent of buildkit's containers stays.
		if base := filepath.Base(dir); base != "conmon" && base != "buildkit" {
			list = append(list, "cgroup "+dir)
		}
	}
	for _, m := range mountTable() {
		// dockerd keeps a mount of the host's network namespace, and podman mounts its storage on itself.
		if !strings.HasSuffix(m.point, "/netns/default") && !strings.HasSuffix(m.point, "/storage/overlay") {
			list = append(list, "mount "+m.fstype+" on "+m.point)
		}
	}
	for _, pattern := range append(slices.Clone(stateDirs), filepath.Join("/run", filepath.Base(w.runtime), "*")) {
		found, _ := filepath.Glob(pattern)
		for _, dir := range found {
			if filepath.Base(dir)[0] != '@' { // no container id begins with this: it is the runtime's cache
				list = append(list, "state "+dir)
			}
		}
	}
	return append(list, w.processes()...)
}

// processes lists the processes of the run, except for the tests themselves, as "process PID (command line)".
func (w *setup) processes() (list []string) {
	for _, dir := range w.ownCgroups() {
		for _, pid := range pidsIn(dir) {
			entry := fmt.Sprintf("process %d (%s)", pid, commandLine(pid))
			if pid != os.Getpid() && !slices.Contains(list, entry) {
				list = append(list, entry)
			}
		}
	}
	return list
}

// ownCgroups returns the cgroups of the run, those of the daemons and of the containers, in all hierarchies.
func (w *setup) ownCgroups() (dirs []string) {
	for _, tree := range w.cgroups.trees {
		dirs = append(dirs, cgroupsBelow(filepath.Join(tree, w.cgroup))...)
		if w.place() != w.cgroup {
			dirs = append(dirs, cgroupsBelow(filepath.Join(tree, w.place()))...)
		}
	}
	return dirs
}

func commandLine(pid int) string {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return errors.Unwrap(err).Error()
	}
	return strings.TrimSpace(strings.ReplaceAll(string(data), "\x00", " "))
}
