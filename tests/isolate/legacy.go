// SPDX-License-Identifier: Apache-2.0

package isolate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// legacy is the environment variable that asks for cgroup v1 as well. Each v1 hierarchy
// of the host is mounted on /sys/fs/cgroup/CONTROLLERS, and cgroup v2 on
// /sys/fs/cgroup/unified. The variable is a list of further hierarchies, separated by
// blanks, which are mounted if possible; "-" is the empty list. In each hierarchy the
// tests are in a new cgroup, which they see as the root.
const legacy = "SKIFF_TEST_V1"

// Legacy reports whether the calling process is in isolation with cgroup v1.
func Legacy() bool { return Active() && os.Getenv(legacy) != "" }

// Unified returns the mount point of cgroup v2.
func Unified() string {
	if os.Getenv(legacy) != "" {
		return cgroupRoot + "/unified"
	}
	return cgroupRoot
}

// hierarchy is one cgroup hierarchy that this process is in.
type hierarchy struct {
	names  string // controllers, or "name=systemd"; "" for cgroup v2
	cgroup string // the path of this process's cgroup in it
}

func (h *hierarchy) mount() string {
	if h.names == "" {
		return cgroupRoot + "/unified"
	}
	return cgroupRoot + "/" + strings.TrimPrefix(h.names, "name=")
}

// hierarchies returns the hierarchies of this process (cgroups(7), /proc/PID/cgroup).
func hierarchies() ([]hierarchy, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	var all []hierarchy
	for line := range strings.Lines(string(text)) {
		if f := strings.SplitN(strings.TrimSpace(line), ":", 3); len(f) == 3 {
			all = append(all, hierarchy{f[1], f[2]})
		}
	}
	return all, err
}

// mountAll mounts all hierarchies. If a hierarchy has several controllers, there is a
// symbolic link for each of them.
func mountAll(all []hierarchy) error {
	if err := mountOn("tmpfs", cgroupRoot); err != nil {
		return err
	}
	for i := range all {
		h := &all[i]
		if err := os.Mkdir(h.mount(), 0o755); err != nil {
			return err
		}
		fstype, options := "cgroup", h.names
		switch {
		case h.names == "":
			fstype = "cgroup2"
		case strings.HasPrefix(h.names, "name="):
			options = "none," + h.names
		}
		if err := unix.Mount("none", h.mount(), fstype, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, options); err != nil {
			return fmt.Errorf("mount %s with %q on %s: %w", fstype, options, h.mount(), err)
		}
		if err := linkEach(h); err != nil {
			return err
		}
	}
	return nil
}

func linkEach(h *hierarchy) error {
	names := strings.Split(h.names, ",")
	if len(names) < 2 {
		return nil
	}
	for _, name := range names {
		if err := os.Symlink(h.names, cgroupRoot+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

// outerLegacy does what runOuter does, with cgroup v1.
func outerLegacy() (code int, err error) {
	all, err := hierarchies()
	if err != nil {
		return 1, err
	}
	if err := mountAll(all); err != nil {
		return 1, err
	}
	for names := range strings.FieldsSeq(os.Getenv(legacy)) {
		if slices.ContainsFunc(all, func(h hierarchy) bool { return h.names == names }) {
			continue
		}
		h := hierarchy{names, "/"}
		if os.Mkdir(h.mount(), 0o755) != nil {
			continue
		}
		dissolve, mountErr := MountLegacy(h.mount(), names, Unified())
		if mountErr != nil {
			_ = os.Remove(h.mount())
			continue // tests that need this hierarchy see that it is missing
		}
		all = append(all, h)
		defer func() { err = errors.Join(err, dissolve()) }()
	}
	box := fmt.Sprintf("skiff-test.%d", os.Getpid())
	for i := range all {
		leave, enterErr := all[i].enter(box)
		if enterErr != nil {
			return 1, enterErr
		}
		defer func() { err = errors.Join(err, leave()) }()
	}
	enableControllers(Unified())
	return startInit(Unified() + "/" + box)
}

// enter creates a cgroup right below the root of the hierarchy and, in cgroup v1, moves
// this process into it. In cgroup v2 only the init is cloned into it, later. leave undoes
// that.
func (h *hierarchy) enter(box string) (leave func() error, err error) {
	dir := h.mount() + "/" + box
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	leave = func() error {
		if h.names != "" {
			_ = os.WriteFile(filepath.Join(h.mount(), h.cgroup, "cgroup.procs"), []byte("0"), 0)
		}
		return removeCgroup(dir)
	}
	if h.names == "" {
		return leave, nil
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		if b, err := os.ReadFile(h.mount() + "/" + file); err == nil {
			_ = os.WriteFile(dir+"/"+file, b, 0)
		}
	}
	_ = os.WriteFile(dir+"/cpu.rt_runtime_us", []byte("20000"), 0) // a new cgroup has no real-time budget
	if err := os.WriteFile(dir+"/cgroup.procs", []byte("0"), 0); err != nil {
		return nil, errors.Join(err, leave())
	}
	return leave, nil
}

// MountLegacy mounts on dir a v1 hierarchy with the named controllers, such as
// "net_cls,net_prio", that does not exist yet. It takes the controllers from cgroup v2,
// mounted on unified, if no cgroup there uses them. dissolve unmounts the hierarchy and
// waits until the kernel has removed it.
func MountLegacy(dir, names, unified string) (dissolve func() error, err error) {
	for name := range strings.SplitSeq(names, ",") {
		_ = os.WriteFile(unified+"/cgroup.subtree_control", []byte("-"+name), 0)
	}
	if err := unix.Mount("none", dir, "cgroup", 0, names); err != nil {
		return nil, &os.PathError{Op: "mount", Path: dir, Err: err}
	}
	return func() error { return unmountLegacy(dir, names) }, nil
}

// unmountLegacy mounts and unmounts the hierarchy again if it has to: an unmounted
// hierarchy persists if a cgroup that was removed just before is still being destroyed.
func unmountLegacy(dir, names string) error {
	for deadline := time.Now().Add(10 * time.Second); ; {
		if err := unix.Unmount(dir, 0); err != nil {
			return &os.PathError{Op: "unmount", Path: dir, Err: err}
		}
		for range 20 {
			all, err := hierarchies()
			if err != nil || !slices.ContainsFunc(all, func(h hierarchy) bool { return h.names == names }) {
				return err
			}
			time.Sleep(10 * time.Millisecond)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the hierarchy of %s is still there", names)
		}
		if err := unix.Mount("none", dir, "cgroup", 0, names); err != nil {
			return &os.PathError{Op: "mount", Path: dir, Err: err}
		}
	}
}
