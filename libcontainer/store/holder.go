// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// Holder returns the process that holds the lock of the directory which has the
// container's name now, as a pid of the pid namespace of /proc. It returns 0 if no
// process holds it, or none that /proc shows. The kernel knows the holder, so that no
// file has to.
//
// When it returns, another process may already hold the lock or have that pid. To
// signal the holder, open its pidfd and ask again: if the answer is the same, the
// pidfd is the holder's.
func (e *Entry) Holder() (pid int, err error) {
	dir, err := sys.OpenPath(e.path, unix.O_DIRECTORY|unix.O_NOFOLLOW)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return 0, &os.PathError{Op: "fstat", Path: e.path, Err: err}
	}
	dev, err := superblock(dir)
	if err != nil {
		return 0, err
	}
	locks, err := sys.ReadFile("/proc/locks")
	if err != nil {
		return 0, err
	}
	return holder(locks, dev, st.Ino), nil
}

// superblock returns the device number of the file system that f is in, as /proc/locks
// shows it. stat(2) returns another number on file systems that have several (btrfs).
func superblock(f *os.File) (dev uint64, err error) {
	id, err := sys.MountIDOf(f)
	if err != nil {
		return 0, err
	}
	m, err := sys.MountByID(id)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return unix.Mkdev(m.Major, m.Minor), nil
}

// holder finds, in the text of /proc/locks (proc_locks(5)), the process that holds the
// flock(2) lock of a file; 0 if there is none. Lines of processes that wait have an
// arrow after the line's number.
func holder(locks []byte, dev, inode uint64) int {
	for line := range bytes.Lines(locks) {
		f := bytes.Fields(line)
		if len(f) < 6 || string(f[1]) != "FLOCK" {
			continue
		}
		var major, minor uint32
		var ino uint64
		if _, err := fmt.Sscanf(string(f[5]), "%x:%x:%d", &major, &minor, &ino); err != nil {
			continue
		}
		pid, err := strconv.Atoi(string(f[4]))
		if err == nil && pid > 0 && ino == inode && unix.Mkdev(major, minor) == dev {
			return pid
		}
	}
	return 0
}
