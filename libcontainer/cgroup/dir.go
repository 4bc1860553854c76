// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// dir is an open cgroup directory.
type dir struct {
	fd   int
	path string
}

var errNotCgroup = errors.New("not on a cgroup file system")

// openDir opens the cgroup directory at path, which is absolute and clean. It refuses
// symbolic links, which cgroup file systems do not have, since the path may come from a
// state file.
func openDir(path string) (dir, error) {
	fd, err := openat2(unix.AT_FDCWD, path, unix.O_RDONLY|unix.O_DIRECTORY,
		unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_MAGICLINKS)
	if err != nil {
		return dir{}, &os.PathError{Op: "open", Path: path, Err: sys.Explain("openat2", err)}
	}
	d := dir{fd, path}
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		d.close()
		return dir{}, &os.PathError{Op: "fstatfs", Path: path, Err: err}
	}
	if !isCgroup(&st) {
		d.close()
		return dir{}, &os.PathError{Op: "open", Path: path, Err: errNotCgroup}
	}
	return d, nil
}

func isCgroup(st *unix.Statfs_t) bool {
	return st.Type == unix.CGROUP2_SUPER_MAGIC || st.Type == unix.CGROUP_SUPER_MAGIC
}

func (d dir) close() { _ = unix.Close(d.fd) }

// open opens a file of d; name is a single path component.
func (d dir) open(name string, flags uint64) (int, error) {
	fd, err := openat2(d.fd, name, flags,
		unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_MAGICLINKS|unix.RESOLVE_NO_XDEV)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: d.path + "/" + name, Err: sys.Explain("openat2", err)}
	}
	return fd, nil
}

// read returns the contents of a file without surrounding white space.
func (d dir) read(name string) (string, error) {
	fd, err := d.open(name, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	s, err := readAll(fd)
	if err != nil {
		return "", &os.PathError{Op: "read", Path: d.path + "/" + name, Err: err}
	}
	return strings.TrimSpace(s), nil
}

// write writes value with one write(2), since the kernel parses each write separately.
func (d dir) write(name, value string) (err error) {
	if m := trace.Begin(); m.On() {
		defer func() { m.Done(err, "write", wrote(d.path+"/"+name, value)) }()
	}
	fd, err := d.open(name, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return writeTo(fd, d.path+"/"+name, value)
}

// writeLines writes each line with its own write(2): files such as io.max take one
// entry per write.
func (d dir) writeLines(name, value string) (err error) {
	if m := trace.Begin(); m.On() {
		defer func() { m.Done(err, "write", wrote(d.path+"/"+name, value)) }()
	}
	fd, err := d.open(name, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for line := range strings.SplitSeq(strings.TrimRight(value, "\n"), "\n") {
		if err := writeTo(fd, d.path+"/"+name, line); err != nil {
			return err
		}
	}
	return nil
}

// wrote returns the words for a step that writes a value.
func wrote(path, value string) string { return fmt.Sprintf("%s %q", path, value) }

func writeTo(fd int, path, value string) error {
	for {
		_, err := unix.Write(fd, []byte(value))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("write %q: %w", value, &os.PathError{Op: "write", Path: path, Err: err})
		}
		return nil
	}
}

// readAll reads to the end of the file; most files of a cgroup are short.
func readAll(fd int) (string, error) {
	b, err := sys.ReadAll(fd, 512)
	return string(b), err
}

func openat2(at int, path string, flags, resolve uint64) (int, error) {
	return sys.Openat2(at, path, &unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: resolve})
}

// gone reports whether err means that a cgroup does not exist: ENOENT from its path, or
// ENODEV from a file that was open when the cgroup was removed.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV)
}

// ignoreGone returns err, or nil if err means that a cgroup does not exist.
func ignoreGone(err error) error {
	if gone(err) {
		return nil
	}
	return err
}
