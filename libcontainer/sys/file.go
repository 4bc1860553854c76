// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"fmt"
	"path/filepath"

	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// ReadFile reads a whole file. Unlike [os.ReadFile] it does not initialize the Go
// runtime's poller, which would cost a start more than the reading does.
func ReadFile(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, wrap("open", path, err)
	}
	defer unix.Close(fd)
	b, err := ReadAll(fd, 4096)
	return b, wrap("read", path, err)
}

// ReadText is [ReadFile] that returns a string.
func ReadText(path string) (string, error) {
	b, err := ReadFile(path)
	return string(b), err
}

// ReadAll reads an open file to its end: if it has fewer than size bytes, by one read and
// a second one that finds the end. A short read is not the end, because procfs returns
// whole lines, and at most a page of them. The error is the bare errno.
func ReadAll(fd, size int) ([]byte, error) {
	b := make([]byte, 0, size)
	for {
		n, err := read(fd, b[len(b):cap(b)])
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return b, nil
		}
		if b = b[:len(b)+n]; len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

func read(fd int, b []byte) (n int, err error) {
	for {
		if n, err = unix.Read(fd, b); err != unix.EINTR {
			return n, err
		}
	}
}

// ReadHead reads the beginning of a file into b by one system call, and returns what it
// has read. For a file of procfs or of a cgroup that is all that fits: the kernel
// produces at least the first line at once.
func ReadHead(fd int, b []byte) ([]byte, error) {
	n, err := read(fd, b)
	return b[:max(n, 0)], err
}

// Dir is the directory of files that are named relative to it: an open one, or one that
// is known by its path.
type Dir struct {
	FD   int    // unix.AT_FDCWD: it is not open, and names are joined to Path
	Path string // for errors
}

// at returns the arguments of a system call for a file in the directory.
func (d Dir) at(name string) (fd int, path string) {
	if d.FD == unix.AT_FDCWD {
		return d.FD, d.Path + "/" + name
	}
	return d.FD, name
}

// ReadRegular reads a regular file of at most limit bytes. Whatever has that name, it does
// not block: neither on the other end of a FIFO nor on a file without an end. It follows
// no symlink.
func (d Dir) ReadRegular(name string, limit int64) ([]byte, error) {
	return d.ReadRegularInto(nil, name, limit)
}

// ReadRegularInto is [Dir.ReadRegular] that uses the memory of buf if that is large
// enough.
func (d Dir) ReadRegularInto(buf []byte, name string, limit int64) (_ []byte, err error) {
	if m := trace.Begin(); m.On() {
		defer func() { m.Done(err, "read", filepath.Join(d.Path, name)) }()
	}
	at, rel := d.at(name)
	fd, err := unix.Openat(at, rel, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err == unix.ELOOP {
		return nil, NotRegular{filepath.Join(d.Path, name), "a symlink"}
	}
	if err != nil {
		return nil, wrap("open", filepath.Join(d.Path, name), err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, wrap("fstat", filepath.Join(d.Path, name), err)
	}
	if kind := kindOf(st.Mode); kind != "" {
		return nil, NotRegular{filepath.Join(d.Path, name), kind}
	}
	if st.Size > limit {
		return nil, fmt.Errorf("%s must not be larger than %d MiB, but has %d bytes", filepath.Join(d.Path, name), limit>>20, st.Size)
	}
	b := buf[:0]
	if int64(cap(b)) < st.Size {
		b = make([]byte, st.Size)
	}
	b = b[:st.Size]
	for got := 0; got < len(b); {
		n, err := read(fd, b[got:])
		if err != nil {
			return nil, wrap("read", filepath.Join(d.Path, name), err)
		}
		if n == 0 {
			return b[:got], nil
		}
		got += n
	}
	return b, nil
}

// NotRegular is the error for something that should be a regular file.
type NotRegular struct{ Path, Kind string }

func (e NotRegular) Error() string {
	return e.Path + " must be a regular file, but is " + e.Kind
}

// kindOf names the type of a file; empty for a regular one.
func kindOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return ""
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFIFO:
		return "a FIFO"
	case unix.S_IFLNK:
		return "a symlink"
	case unix.S_IFSOCK:
		return "a socket"
	}
	return "a device"
}

// Write writes a file with mode 0600. It overwrites an existing one unless flags has
// O_EXCL.
func (d Dir) Write(name string, b []byte, flags int) (err error) {
	if m := trace.Begin(); m.On() {
		defer func() { m.Noted(err, "write", filepath.Join(d.Path, name), fmt.Sprintf("%d bytes", len(b))) }()
	}
	at, rel := d.at(name)
	fd, err := unix.Openat(at, rel, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC|flags, 0o600)
	if err != nil {
		return wrap("open", filepath.Join(d.Path, name), err)
	}
	defer unix.Close(fd)
	return wrap("write", filepath.Join(d.Path, name), writeAll(fd, b))
}

// Rename gives a file another name in the same directory (renameat2(2)).
func (d Dir) Rename(from, to string, flags uint) (err error) {
	if m := trace.Begin(); m.On() {
		defer func() { m.Done(err, "rename", filepath.Join(d.Path, from)+" to "+to) }()
	}
	at, a := d.at(from)
	_, b := d.at(to)
	if flags == 0 {
		return wrap("rename", filepath.Join(d.Path, to), unix.Renameat(at, a, at, b))
	}
	return wrap("rename", filepath.Join(d.Path, to), unix.Renameat2(at, a, at, b, flags))
}

// Unlink removes a file's name.
func (d Dir) Unlink(name string) error {
	at, rel := d.at(name)
	return wrap("unlink", filepath.Join(d.Path, name), unix.Unlinkat(at, rel, 0))
}

// Has reports whether a file of any type has that name.
func (d Dir) Has(name string) bool {
	at, rel := d.at(name)
	var st unix.Stat_t
	return unix.Fstatat(at, rel, &st, unix.AT_SYMLINK_NOFOLLOW) == nil
}

// Link makes a symlink; name must not exist.
func (d Dir) Link(text, name string) error {
	at, rel := d.at(name)
	return wrap("symlink", filepath.Join(d.Path, name), unix.Symlinkat(text, at, rel))
}

// Linked returns the text of a symlink.
func (d Dir) Linked(name string) (string, error) {
	at, rel := d.at(name)
	b := make([]byte, 256)
	n, err := unix.Readlinkat(at, rel, b)
	if err != nil {
		return "", wrap("readlink", filepath.Join(d.Path, name), err)
	}
	return string(b[:n]), nil
}

// WriteOnce writes b to an existing file in one call, since files of procfs do not accept
// a second one. Like [ReadFile] it does not initialize the Go runtime's poller.
func WriteOnce(path string, b []byte) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return wrap("open", path, err)
	}
	defer unix.Close(fd)
	return wrap("write", path, retry(func() error { _, err := unix.Write(fd, b); return err }))
}
