// SPDX-License-Identifier: Apache-2.0

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

// driverEnv names the cgroup driver that the engines use: "cgroupfs", the default, where the runtime creates cgroups
// itself; or "systemd", where the host's systemd creates them, as scopes in a slice.
const driverEnv = "ENGINES_DRIVER"

func bySystemd() bool { return os.Getenv(driverEnv) == "systemd" }

// driver returns the name of the driver, as engines know it.
func driver() string {
	if bySystemd() {
		return "systemd"
	}
	return "cgroupfs"
}

// sliceOf returns the slice of the containers of a run. The daemons stay in their cgroup, which systemd does not know
// of.
func sliceOf(cgroup string) string {
	return strings.ReplaceAll(cgroup, "-", "_") + ".slice" // a dash would mean another level of the hierarchy
}

// place returns the cgroup below which all containers are.
func (w *setup) place() string {
	if bySystemd() {
		return sliceOf(w.cgroup)
	}
	return w.cgroup
}

// parent returns the argument for --cgroup-parent of docker and podman.
func (w *setup) parent() string {
	if bySystemd() {
		return filepath.Base(w.place())
	}
	return w.cgroup
}

// path returns the argument for ctr's --cgroup for a container.
func (w *setup) path(id string) string {
	if bySystemd() {
		return w.parent() + ":ctr:" + id
	}
	return w.cgroup + "/" + id
}

// driverArgs returns the further arguments that ctr run needs.
func driverArgs() []string {
	if bySystemd() {
		return []string{"--runc-systemd-cgroup"}
	}
	return nil
}

// keepBus calls cover, and keeps the sockets of the host's systemd and D-Bus reachable.
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
