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

// A cgroupView is where this host has its controllers.
type cgroupView struct {
	unified     string            // mount point of cgroup2
	controllers []string          // those of cgroup2
	v1          map[string]string // controller to the mount point of its hierarchy
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

// String says which controllers are where: it is the observation that a skipped test prints.
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

// pure says whether the host has no v1 hierarchy.
func (v cgroupView) pure() bool { return len(v.trees) == 1 }

// has says whether a controller is in one of the hierarchies.
func (v cgroupView) has(controller string) bool {
	return v.v1[controller] != "" || slices.Contains(v.controllers, controller)
}

// needController skips a test if the host has the controller in no hierarchy.
func needController(t *testing.T, controller string) {
	t.Helper()
	if !world.cgroups.has(controller) {
		t.Skipf("this host offers no %s controller: %v", controller, world.cgroups)
	}
}

// cgroupOf answers the path of a process in the hierarchy of a v1 controller, or in the unified one for "".
func cgroupOf(t *testing.T, pid, controller string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("/proc", pid, "cgroup"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && slices.Contains(strings.Split(fields[1], ","), controller) {
			return fields[2]
		}
	}
	t.Fatalf("process %s is in no hierarchy of %q:\n%s", pid, controller, data)
	return ""
}

// expectPlace fails unless the process is in a cgroup of its own below that of all containers, in the hierarchy of each
// controller.
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
