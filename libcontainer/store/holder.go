package store

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// Holder finds the process that holds the lock of the directory which has the
// container's name now, by its number in the pid namespace of /proc; 0 if nobody
// does, or nobody whom that /proc shows. Nothing is written down for it: the
// kernel knows.
//
// By the time of the answer another process may hold the lock, or have the
// number. Who wants to signal the holder opens a pidfd of it and asks again: if
// the answer is still the same, the pidfd is that of the holder.
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

// superblock is the device number of the file system that f is in, as
// /proc/locks has it. That of stat(2) is another one where a file system has
// several (btrfs).
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

// holder finds who holds the flock(2) lock of a file in the text of /proc/locks
// (proc_locks(5)); 0: nobody. Those who wait for it have an arrow after the
// number of the line.
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
