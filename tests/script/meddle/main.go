// SPDX-License-Identifier: Apache-2.0

// Meddle tries to change inodes, for the scripts: those of its arguments, or without
// arguments those of all mount points, of all files in /dev, and of its standard streams.
// It prints one line for each change that succeeded.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	paths := os.Args[1:]
	if len(paths) == 0 {
		paths = inSight()
	}
	var done strings.Builder
	for _, path := range paths {
		for _, c := range changes {
			if c.try(path) == nil {
				done.WriteString(c.name + " " + path + "\n")
			}
		}
	}
	fmt.Print(done.String()) // only now, since its output is one of the inodes
}

// inSight returns the mount points, the files of /dev, and the standard streams.
func inSight() (paths []string) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		fmt.Fprintln(os.Stderr, "meddle:", err)
	}
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 4 {
			paths = append(paths, f[4])
		}
	}
	_ = filepath.WalkDir("/dev", func(path string, _ fs.DirEntry, _ error) error {
		paths = append(paths, path)
		return nil
	})
	return append(paths, "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2")
}

var changes = []struct {
	name string
	try  func(path string) error
}{
	{"chmod", func(p string) error { return unix.Chmod(p, 0o600) }},
	{"chown", func(p string) error { return unix.Chown(p, 12, 34) }},
	{"chgrp", func(p string) error { return unix.Chown(p, -1, 34) }},
	{"touch", func(p string) error { return unix.UtimesNanoAt(unix.AT_FDCWD, p, nil, 0) }},
	{"utimes", func(p string) error {
		return unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{{Sec: 1}, {Sec: 1}}, 0)
	}},
	{"setxattr user", setxattr("user.meddle")},
	{"setxattr trusted", setxattr("trusted.meddle")},
	{"setxattr security", setxattr("security.meddle")},
	{"acl", func(p string) error { return unix.Setxattr(p, "system.posix_acl_access", acl, 0) }},
	{"file_setattr", fileSetattr},
	{"fchmod", opened(func(fd int) error { return unix.Fchmod(fd, 0o600) })},
	{"fchown", opened(func(fd int) error { return unix.Fchown(fd, 12, 34) })},
	{"ioctl", opened(func(fd int) error { return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, noAtime) })},
	{"ftruncate", opened(func(fd int) error { return unix.Ftruncate(fd, 0) })},
}

func setxattr(name string) func(string) error {
	return func(p string) error { return unix.Setxattr(p, name, []byte("x"), 0) }
}

// acl is the shortest access control list (acl(5)), the one equivalent to mode 0600.
var acl = []byte("\x02\x00\x00\x00" +
	"\x01\x00\x06\x00\xff\xff\xff\xff" + "\x04\x00\x00\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff")

const noAtime = 0x80 // FS_NOATIME_FL

// fileSetattr calls file_setattr(2), Linux 6.17.
func fileSetattr(path string) error {
	const number, xflagNoAtime = 469, 0x40
	p, err := unix.BytePtrFromString(path)
	if err != nil {
		return err
	}
	at := unix.AT_FDCWD
	attr := [3]uint64{xflagNoAtime}
	_, _, errno := unix.Syscall6(number, uintptr(at), uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// opened returns a function that opens a path, for writing if possible, and tries a
// change by descriptor.
func opened(try func(fd int) error) func(string) error {
	return func(path string) error {
		var errs []error
		for _, mode := range []int{unix.O_RDWR, unix.O_RDONLY, unix.O_WRONLY} {
			fd, err := unix.Open(path, mode|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
			if err == nil {
				err = try(fd)
				unix.Close(fd)
			}
			if err == nil {
				return nil
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
}
