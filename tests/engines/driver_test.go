//go:build engines

package engines

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// driverEnv says how the engines shall have cgroups made: "cgroupfs", by the runtime itself, which is the default; or
// "systemd", by the host's systemd, as scopes of a slice.
const driverEnv = "ENGINES_DRIVER"

func bySystemd() bool { return os.Getenv(driverEnv) == "systemd" }

// driver is the name that engines have for it.
func driver() string {
	if bySystemd() {
		return "systemd"
	}
	return "cgroupfs"
}

// sliceOf is the slice of a run's containers; the daemons stay in the cgroup, which systemd knows nothing of.
func sliceOf(cgroup string) string {
	return strings.ReplaceAll(cgroup, "-", "_") + ".slice" // a dash would be a level of the tree
}

// place is the cgroup below which all containers are.
func (w *setup) place() string {
	if bySystemd() {
		return sliceOf(w.cgroup)
	}
	return w.cgroup
}

// parent is what docker's and podman's --cgroup-parent takes.
func (w *setup) parent() string {
	if bySystemd() {
		return filepath.Base(w.place())
	}
	return w.cgroup
}

// path is what ctr's --cgroup takes for a container.
func (w *setup) path(id string) string {
	if bySystemd() {
		return w.parent() + ":ctr:" + id
	}
	return w.cgroup + "/" + id
}

// driverArgs are what ctr run takes on top.
func driverArgs() []string {
	if bySystemd() {
		return []string{"--runc-systemd-cgroup"}
	}
	return nil
}

// keepBus calls cover, after which the host's systemd can be reached as before.
func keepBus(cover func() error) error {
	if !bySystemd() {
		return cover()
	}
	kept := map[string]int{}
	for _, dir := range []string{"/run/dbus", "/run/systemd"} {
		fd, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
		if err != nil {
			return fmt.Errorf("%s=systemd: %s: %w", driverEnv, dir, err)
		}
		defer unix.Close(fd)
		kept[dir] = fd
	}
	err := cover()
	for dir, fd := range kept {
		err = errors.Join(err, os.Mkdir(dir, 0o755), unix.MoveMount(fd, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH))
	}
	return err
}
