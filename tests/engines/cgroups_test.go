// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A cgroupView has the cgroup hierarchies and controllers of this host.
type cgroupView struct {
	unified     string            // mount point of cgroup2
	controllers []string          // the controllers of cgroup2
	v1          map[string]string // the mount point of the hierarchy of each controller
	trees       []string          // all mount points
}

func newCgroupView() (cgroupView, error) {
	trees, err := cgroupTrees()
	if err != nil {
		return cgroupView{}, err
	}
	view := cgroupView{unified: trees[0], trees: trees, v1: map[string]string{}}
	data, err := os.ReadFile(filepath.Join(view.unified, "cgroup.controllers"))
	if err != nil {
		return cgroupView{}, err
	}
	view.controllers = strings.Fields(string(data))
	for _, m := range mountTable() {
		if m.fstype == "cgroup" {
			for _, option := range strings.Split(m.super, ",") {
				view.v1[option] = m.point
			}
		}
	}
	return view, nil
}

// String lists the controllers of each cgroup version; a skipped test prints it.
func (v cgroupView) String() string {
	var old []string
	for option := range v.v1 {
		if option != "rw" && option != "xattr" {
			old = append(old, option)
		}
	}
	slices.Sort(old)
	return fmt.Sprintf("v1 hierarchies [%s], v2 controllers [%s]", strings.Join(old, " "), strings.Join(v.controllers, " "))
}

// pure reports whether the host has no v1 hierarchy.
func (v cgroupView) pure() bool { return len(v.trees) == 1 }

// has reports whether one of the hierarchies has a controller.
func (v cgroupView) has(controller string) bool {
	return v.v1[controller] != "" || slices.Contains(v.controllers, controller)
}

// needController skips a test unless one of the hierarchies has the controller.
func needController(t *testing.T, controller string) {
	t.Helper()
	if !world.cgroups.has(controller) {
		t.Skipf("this host offers no %s controller: %v", controller, world.cgroups)
	}
}

// needMountedHierarchies skips a test of figures and events that containerd reads from cgroups if a hierarchy exists and
// is mounted nowhere: containerd then finds none of a container's cgroups ("cannot find cgroup mount destination").
func needMountedHierarchies(t *testing.T) {
	t.Helper()
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(line, ":", 3)
		if first, _, _ := strings.Cut(fields[1], ","); first != "" && world.cgroups.v1[first] == "" {
			t.Skipf("this host mounts no hierarchy of %q: %v", fields[1], world.cgroups)
		}
	}
}

// cgroupOf returns the path of a process's cgroup in the hierarchy of a v1 controller, or in the unified one for "".
func cgroupOf(t *testing.T, pid, controller string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("/proc", pid, "cgroup"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && slices.Contains(strings.Split(fields[1], ","), controller) && (controller != "" || fields[0] == "0") {
			return fields[2]
		}
	}
	t.Fatalf("process %s is in no hierarchy of %q:\n%s", pid, controller, data)
	return ""
}

// expectPlace fails unless, in the hierarchy of each controller, the process is in a cgroup below world.place() that is
// not the one of the daemons.
func expectPlace(t *testing.T, pid string) {
	t.Helper()
	controllers := []string{""}
	if !world.cgroups.pure() {
		controllers = controllers[:0]
		for c := range world.cgroups.v1 {
			if c != "rw" && c != "xattr" && !strings.HasPrefix(c, "name=") {
				controllers = append(controllers, c)
			}
		}
	}
	for _, c := range controllers {
		path := cgroupOf(t, pid, c)
		if !strings.HasPrefix(path, world.place()+"/") || strings.HasSuffix(path, "/harness") {
			t.Errorf("hierarchy %q: process %s is in %s, not in a cgroup of its own below %s", c, pid, path, world.place())
		}
	}
}
