// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// hierarchy is one mounted cgroup hierarchy.
type hierarchy struct {
	Mount   string // the mount point
	Name    string // last element of Mount: "pids", "cpu,cpuacct"; "" for cgroup v2
	Options string // for mount(2): "pids", "none,name=systemd"; "" for cgroup v2
}

// host is what the driver has to know of the host to make cells.
type host struct {
	view        string // "v1" or "v2"
	hierarchies []hierarchy
	caps        uint64   // effective capabilities
	mountDir    string   // directory with the hierarchies that mountUnused mounts; "" if there are none
	mounted     []string // their mount points, below mountDir
}

// observe determines the host's cgroup hierarchies and this process's capabilities. The
// process must have its own mount namespace.
func observe(view string) (*host, error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("make / private: %w", err)
	}
	v1, v2, err := mountedHierarchies()
	if err != nil {
		return nil, err
	}
	h := &host{view: view}
	if h.caps, err = effectiveCaps(); err != nil {
		return nil, err
	}
	if view == "auto" {
		h.view = "v2"
		if len(v1) > 0 {
			h.view = "v1"
		}
	}
	switch h.view {
	case "v1":
		h.hierarchies = v1
		err = h.mountUnused()
	case "v2":
		h.hierarchies = v2[:min(1, len(v2))]
	default:
		err = fmt.Errorf("-view %q: want v1, v2 or auto", view)
	}
	if err == nil && len(h.hierarchies) == 0 {
		err = fmt.Errorf("cgroup view %s: the host mounts no such hierarchy", h.view)
	}
	if err != nil {
		return nil, errors.Join(err, h.release())
	}
	return h, nil
}

// mountUnused mounts the v1 controllers that the suite uses and the kernel has but the
// host has not mounted, until release unmounts them. A controller whose mount fails,
// because cgroup v2 uses it, counts as missing.
func (h *host) mountUnused() error {
	names, err := unusedControllers()
	if err != nil || len(names) == 0 {
		return err
	}
	if h.mountDir, err = os.MkdirTemp("", "skiff-oci-cgroup-"); err != nil {
		return err
	}
	for _, name := range names {
		dir := filepath.Join(h.mountDir, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if unix.Mount("cgroup", dir, "cgroup", 0, name) != nil {
			_ = os.Remove(dir)
			continue
		}
		h.mounted = append(h.mounted, dir)
		h.hierarchies = append(h.hierarchies, hierarchy{Mount: dir, Name: name, Options: name})
	}
	return nil
}

// release unmounts what mountUnused has mounted. Where a hierarchy remains, containerd
// would find no cgroups.
func (h *host) release() error {
	var faults []error
	for _, dir := range h.mounted {
		faults = append(faults, dissolve(dir, filepath.Base(dir)), os.Remove(dir))
	}
	if h.mountDir != "" {
		faults = append(faults, os.Remove(h.mountDir))
	}
	return errors.Join(faults...)
}

// dissolve unmounts the v1 hierarchy of a controller. A hierarchy persists without a mount
// if a cgroup that was removed just before is still being destroyed, so that it has to be
// mounted and unmounted again.
func dissolve(dir, controller string) error {
	for deadline := time.Now().Add(10 * time.Second); ; {
		if err := unix.Unmount(dir, 0); err != nil {
			return &os.PathError{Op: "unmount", Path: dir, Err: err}
		}
		for range 20 {
			if unused, err := unusedControllers(); err != nil || slices.Contains(unused, controller) {
				return err
			}
			time.Sleep(10 * time.Millisecond)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the cgroup hierarchy of %s is still there", controller)
		}
		if err := unix.Mount("cgroup", dir, "cgroup", 0, controller); err != nil {
			return &os.PathError{Op: "mount", Path: dir, Err: err}
		}
	}
}

// unusedControllers returns the controllers that programs of the suite set and that no
// hierarchy uses. It reads /proc/cgroups, whose columns are name, hierarchy, number of
// cgroups, enabled.
func unusedControllers() ([]string, error) {
	b, err := os.ReadFile("/proc/cgroups")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.Fields(line)
		if len(f) != 4 || f[1] != "0" || f[3] != "1" {
			continue
		}
		switch f[0] {
		case "blkio", "cpu", "cpuset", "devices", "hugetlb", "memory", "net_cls", "net_prio", "pids":
			names = append(names, f[0])
		}
	}
	return names, nil
}

func mountedHierarchies() (v1, v2 []hierarchy, err error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		left, right, ok := strings.Cut(sc.Text(), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 5 || len(r) < 3 {
			continue
		}
		switch r[0] {
		case "cgroup":
			v1 = append(v1, hierarchy{Mount: l[4], Name: filepath.Base(l[4]), Options: v1Options(r[2])})
		case "cgroup2":
			v2 = append(v2, hierarchy{Mount: l[4]})
		}
	}
	return v1, v2, sc.Err()
}

// v1Options returns the controllers and the name among the super options of a hierarchy.
func v1Options(super string) string {
	var keep []string
	for _, o := range strings.Split(super, ",") {
		switch {
		case strings.HasPrefix(o, "name="):
			keep = append(keep, "none", o)
		case o != "rw" && o != "ro" && o != "xattr" && o != "clone_children" && !strings.Contains(o, "="):
			keep = append(keep, o)
		}
	}
	return strings.Join(keep, ",")
}

func effectiveCaps() (uint64, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(b), "\n") {
		if v, ok := strings.CutPrefix(line, "CapEff:"); ok {
			return strconv.ParseUint(strings.TrimSpace(v), 16, 64)
		}
	}
	return 0, errors.New("/proc/self/status: no CapEff line")
}

// hasController reports whether the view has a v1 hierarchy with this controller.
func (h *host) hasController(name string) bool {
	return slices.ContainsFunc(h.hierarchies, func(x hierarchy) bool {
		return slices.Contains(strings.Split(x.Options, ","), name)
	})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
