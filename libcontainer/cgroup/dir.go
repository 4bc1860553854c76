package cgroup

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// dir is an open cgroup directory.
type dir struct {
	fd   int
	path string
}

var errNotCgroup = errors.New("not on a cgroup file system")

// openDir opens the cgroup directory path, which is absolute and clean. No
// symbolic link is followed: cgroup file systems have none, and paths come
// from a state file.
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

// open opens the file name, a single component.
func (d dir) open(name string, flags uint64) (int, error) {
	fd, err := openat2(d.fd, name, flags,
		unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_MAGICLINKS|unix.RESOLVE_NO_XDEV)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: d.path + "/" + name, Err: sys.Explain("openat2", err)}
	}
	return fd, nil
}

// read gives the whole of a file without the white space around it.
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

// write writes value in one write(2): the kernel parses each write by itself.
func (d dir) write(name, value string) error {
	fd, err := d.open(name, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return writeTo(fd, d.path+"/"+name, value)
}

// writeLines writes each line by itself; files such as io.max take one entry
// a write.
func (d dir) writeLines(name, value string) error {
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

// readAll reads to the end; most files of a cgroup are short.
func readAll(fd int) (string, error) {
	b, err := sys.ReadAll(fd, 512)
	return string(b), err
}

func openat2(at int, path string, flags, resolve uint64) (int, error) {
	return sys.Openat2(at, path, &unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: resolve})
}

// gone reports that err is of a cgroup that does not exist: ENOENT by its
// path, ENODEV by a file of it that was open when it was removed.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV)
}

// notGone is err, unless that is of a cgroup that does not exist.
func notGone(err error) error {
	if gone(err) {
		return nil
	}
	return err
}
