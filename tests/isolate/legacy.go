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

// legacy is the environment variable that asks for cgroup v1 as well: each
// hierarchy that the host has, in /sys/fs/cgroup/CONTROLLERS, cgroup v2 in
// /sys/fs/cgroup/unified, and those that the variable lists, with blanks between
// them, as far as they can be mounted. "-" lists none. The tests are in a cgroup
// of their own in each of them, which is the root that they see.
const legacy = "SKIFF_TEST_V1"

// Legacy reports whether the caller is in isolation with cgroup v1.
func Legacy() bool { return Active() && os.Getenv(legacy) != "" }

// Unified is where cgroup v2 is mounted.
func Unified() string {
	if os.Getenv(legacy) != "" {
		return cgroupRoot + "/unified"
	}
	return cgroupRoot
}

// hierarchy is one that a process is in.
type hierarchy struct {
	names string // controllers or "name=systemd"; "" is cgroup v2
	own   string // the process's cgroup
}

func (h *hierarchy) mount() string {
	if h.names == "" {
		return cgroupRoot + "/unified"
	}
	return cgroupRoot + "/" + strings.TrimPrefix(h.names, "name=")
}

// hierarchies are those of this process (cgroups(7), /proc/PID/cgroup).
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

// mountAll mounts all hierarchies, with a symbolic link for each controller of
// those that have several.
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

// outerLegacy is runOuter with cgroup v1.
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
			continue // what is missing the tests see
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

// enter makes a cgroup right below the root, and moves this process into it; in
// cgroup v2 the init will be cloned into it. leave undoes that.
func (h *hierarchy) enter(box string) (leave func() error, err error) {
	dir := h.mount() + "/" + box
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	leave = func() error {
		if h.names != "" {
			_ = os.WriteFile(filepath.Join(h.mount(), h.own, "cgroup.procs"), []byte("0"), 0)
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
	_ = os.WriteFile(dir+"/cpu.rt_runtime_us", []byte("20000"), 0) // of which the tests have none at first
	if err := os.WriteFile(dir+"/cgroup.procs", []byte("0"), 0); err != nil {
		return nil, errors.Join(err, leave())
	}
	return leave, nil
}

// MountLegacy mounts a v1 hierarchy, "net_cls,net_prio", that does not exist.
// The controllers are taken from cgroup v2, mounted on unified, if no cgroup
// there needs them. dissolve unmounts it until the kernel has given it up.
func MountLegacy(dir, names, unified string) (dissolve func() error, err error) {
	for name := range strings.SplitSeq(names, ",") {
		_ = os.WriteFile(unified+"/cgroup.subtree_control", []byte("-"+name), 0)
	}
	if err := unix.Mount("none", dir, "cgroup", 0, names); err != nil {
		return nil, &os.PathError{Op: "mount", Path: dir, Err: err}
	}
	return func() error { return unmountLegacy(dir, names) }, nil
}

// unmountLegacy unmounts more than once if need be: a hierarchy stays when a
// cgroup that was removed a moment before is still being taken down.
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
