// SPDX-License-Identifier: Apache-2.0

package isolate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
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

// hierarchies returns the hierarchies of this process (cgroups(7), /proc/PID/cgroup),
// without those that the kernel is removing: "12::/".
func hierarchies() ([]hierarchy, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	var all []hierarchy
	for line := range strings.Lines(string(text)) {
		if f := strings.SplitN(strings.TrimSpace(line), ":", 3); len(f) == 3 && (f[1] != "" || f[0] == "0") {
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
	if err := DissolveUnmounted(); err != nil {
		return 1, err
	}
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
	return func() error { return unmountLegacy(dir, names, 10*time.Second) }, nil
}

// unmountLegacy mounts and unmounts the hierarchy again if it has to: an unmounted
// hierarchy persists if a cgroup that was removed just before is still being destroyed.
func unmountLegacy(dir, names string, patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; {
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

// DissolveUnmounted removes the v1 hierarchies that exist and have no cgroups but are
// mounted nowhere in the caller's mount namespace: a run of tests that was killed, or did
// not wait as [MountLegacy] does, left them. As long as there is one, containerd finds no
// cgroup of its containers, and its controllers cannot be mounted in another combination.
// It is no error if one persists, since another mount namespace has mounted it.
func DissolveUnmounted() error {
	found, err := unmountedHere()
	if err != nil || len(found) == 0 {
		return err
	}
	dir, err := os.MkdirTemp("", "skiff-v1-")
	if err != nil {
		return err
	}
	done := make(chan error)
	go func() { done <- dissolveOn(dir, found) }()
	return errors.Join(<-done, os.Remove(dir))
}

// dissolveOn mounts and unmounts each hierarchy on dir until it is gone, for a second. The
// thread gets a mount namespace of its own for that, and ends with the goroutine.
func dissolveOn(dir string, all []string) error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return &os.PathError{Op: "make private", Path: "/", Err: err}
	}
	for _, names := range all {
		if err := unix.Mount("none", dir, "cgroup", 0, names); err == nil {
			_ = unmountLegacy(dir, names, time.Second) // or somebody else has mounted it
		}
	}
	return nil
}

// unmountedHere returns the v1 hierarchies that have no cgroup but the root and that the
// caller's mount namespace does not show, as lists of controllers: "net_cls,net_prio".
func unmountedHere() ([]string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	table, err := os.ReadFile("/proc/cgroups")
	if err != nil {
		return nil, err
	}
	all, err := hierarchies()
	if err != nil {
		return nil, err
	}
	return unmounted(all, string(mounts), string(table)), nil
}

// unmounted is the part of unmountedHere that decides. mounts has the lines of
// proc_pid_mountinfo(5), whose last field is a hierarchy's controllers; table those of
// /proc/cgroups: controller, hierarchy, number of cgroups, enabled.
func unmounted(all []hierarchy, mounts, table string) (names []string) {
	shown, empty := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(mounts) {
		if _, right, ok := strings.Cut(line, " - cgroup "); ok {
			for option := range strings.SplitSeq(right[strings.LastIndexByte(right, ' ')+1:], ",") {
				shown[strings.TrimSpace(option)] = true
			}
		}
	}
	for line := range strings.Lines(table) {
		if f := strings.Fields(line); len(f) == 4 && f[2] == "1" {
			empty[f[0]] = true
		}
	}
	for _, h := range all {
		if first, _, _ := strings.Cut(h.names, ","); empty[first] && !shown[first] {
			names = append(names, h.names)
		}
	}
	return names
}
