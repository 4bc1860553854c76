// SPDX-License-Identifier: Apache-2.0

package isolate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	hostDev = "/dev"
	newDev  = "/mnt" // where the new /dev is built before it is moved over the host's
)

// ownDevices mounts a separate /dev in these namespaces: the same nodes, symlinks and
// directories as the host's, but different inodes. If a test changes a node by accident,
// by chmod, chown or a rename over it, the host's node does not change.
func ownDevices() error {
	if err := unix.Mount("tmpfs", newDev, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=755"); err != nil {
		return fmt.Errorf("mount a tmpfs for devices: %w", err)
	}
	if err := copyDevices(); err != nil {
		return err
	}
	for _, m := range []struct{ fstype, name, data string }{
		{"devpts", "pts", "newinstance,ptmxmode=0666,mode=620,gid=5"},
		{"tmpfs", "shm", "mode=1777"},
		{"mqueue", "mqueue", ""},
	} {
		dir := filepath.Join(newDev, m.name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.fstype, dir, m.fstype, unix.MS_NOSUID|unix.MS_NOEXEC, m.data); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.fstype, dir, err)
		}
	}
	if err := unix.Mount(newDev, hostDev, "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the new devices to %s: %w", hostDev, err)
	}
	return nil
}

// copyDevices creates copies of what is in the host's /dev itself, but not of what is in
// file systems mounted below it.
func copyDevices() error {
	var top unix.Stat_t
	if err := unix.Lstat(hostDev, &top); err != nil {
		return &os.PathError{Op: "stat", Path: hostDev, Err: err}
	}
	return filepath.WalkDir(hostDev, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == hostDev {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return &os.PathError{Op: "stat", Path: path, Err: err}
		}
		if d.IsDir() && st.Dev != top.Dev {
			return fs.SkipDir
		}
		return copyDevice(path, filepath.Join(newDev, path[len(hostDev):]), &st)
	})
}

// copyDevice creates a copy of one file of /dev. Sockets and other files are not copied.
// A node that a device cgroup does not allow to be created is left out: it could not be
// opened either.
func copyDevice(from, to string, st *unix.Stat_t) error {
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		err = os.Mkdir(to, 0o755)
	case unix.S_IFLNK:
		var target string
		if target, err = os.Readlink(from); err != nil {
			return err
		}
		return os.Symlink(target, to)
	case unix.S_IFCHR, unix.S_IFBLK:
		if err = unix.Mknod(to, st.Mode, int(st.Rdev)); errors.Is(err, unix.EPERM) {
			return nil
		}
	default:
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "make", Path: to, Err: err}
	}
	if err := os.Chown(to, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	return unix.Chmod(to, st.Mode&0o7777)
}
