// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Publish writes b to a file at a path of the caller's choice, where another process may
// wait for it. Whoever reads the file reads all of b. remove undoes it.
//
// The file gets its name only when it is written: a kill leaves nothing half done, and
// there is no temporary name that another user could take. A regular file of that name is
// replaced. For this the new file gets a name, for the time of one system call, in
// scratch, a directory that is removed with all its contents, or, if that is on another
// file system, beside the old file, under a name that nobody can guess. A symlink is
// replaced, too, wherever it leads, as by runc: root writes to directories of users.
//
// A device or a FIFO is written to, as by crun and youki, because the caller cannot want
// it to become a regular file. The same holds for one behind a symlink, unless another
// user may have made the symlink as a trick ([meant]; /dev/stdout is none).
func Publish(path string, b []byte, mode uint32, scratch string) (remove func() error, err error) {
	own := func() error { return removeOwn(path, b) }
	err = publishNew(path, b, mode)
	if err == nil {
		return own, nil
	}
	to, kind := target(path)
	switch kind {
	case unix.S_IFCHR, unix.S_IFIFO:
		return func() error { return nil }, writeInto(to, b)
	case unix.S_IFBLK, unix.S_IFDIR, unix.S_IFSOCK:
		return nil, NotRegular{path, kindOf(kind)}
	}
	if errors.Is(err, unix.EEXIST) || noUnnamed(err) {
		err = replace(path, b, mode, scratch)
	}
	return own, err
}

// PublishNew is [Publish] for a file that must not exist; the error is then unix.EEXIST.
func PublishNew(path string, b []byte, mode uint32) error {
	err := publishNew(path, b, mode)
	if noUnnamed(err) {
		return createNew(path, b, mode)
	}
	return err
}

// publishNew writes a file without a name (open(2), O_TMPFILE), and then names it.
func publishNew(path string, b []byte, mode uint32) error {
	fd, err := unnamed(path, b, mode)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return wrap("link", path, name(fd, path))
}

func unnamed(path string, b []byte, mode uint32) (int, error) {
	fd, err := unix.Open(filepath.Dir(path), unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, mode)
	if err != nil {
		return -1, wrap("open", path, err)
	}
	if err := writeAll(fd, b); err != nil {
		unix.Close(fd)
		return -1, wrap("write", path, err)
	}
	return fd, nil
}

// name gives a file without a name one that is not taken.
func name(fd int, path string) error {
	return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
}

// noUnnamed reports whether err means that the file system does not support files
// without a name, or hard links.
func noUnnamed(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM)
}

func replace(path string, b []byte, mode uint32, scratch string) error {
	temp, err := temporary(path, b, mode, scratch)
	if err != nil {
		return err
	}
	if err := unix.Rename(temp, path); err != nil {
		_ = unix.Unlink(temp)
		return wrap("rename", path, err)
	}
	return nil
}

// temporary writes a file that can be renamed to path.
func temporary(path string, b []byte, mode uint32, scratch string) (temp string, err error) {
	base := fmt.Sprintf(".%s.%016x", filepath.Base(path), rand.Uint64())
	fd, err := unnamed(path, b, mode)
	if err == nil {
		defer unix.Close(fd)
		for _, dir := range [...]string{scratch, filepath.Dir(path)} {
			temp = filepath.Join(dir, base)
			if err = wrap("link", temp, name(fd, temp)); err == nil {
				return temp, nil
			}
		}
	}
	if noUnnamed(err) {
		temp = filepath.Join(filepath.Dir(path), base)
		err = createNew(temp, b, mode)
	}
	return temp, err
}

// createNew writes a file that must not exist.
func createNew(path string, b []byte, mode uint32) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
	if err != nil {
		return wrap("open", path, err)
	}
	defer unix.Close(fd)
	if err := writeAll(fd, b); err != nil {
		_ = unix.Unlink(path)
		return wrap("write", path, err)
	}
	return nil
}

// removeOwn removes the file if its content is still b.
func removeOwn(path string, b []byte) error {
	dir := Dir{unix.AT_FDCWD, filepath.Dir(path)}
	now, err := dir.ReadRegular(filepath.Base(path), int64(len(b)))
	if err != nil || string(now) != string(b) {
		return nil // somebody else has replaced it
	}
	return dir.Unlink(filepath.Base(path))
}

// target finds the type (S_IFMT) of what is at path. A regular file, a symlink or
// nothing is to be replaced; anything else is returned with the path that leads to it.
func target(path string) (to string, kind uint32) {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil {
		return path, 0
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return path, st.Mode & unix.S_IFMT
	}
	to, ok := meant(path)
	if !ok || unix.Stat(to, &st) != nil {
		return path, unix.S_IFLNK
	}
	switch kind = st.Mode & unix.S_IFMT; {
	case kind == unix.S_IFCHR, kind == unix.S_IFIFO:
		return to, kind
	case kind == unix.S_IFREG && !Findable(to, true): // a descriptor of this process
		return to, unix.S_IFCHR
	}
	return path, unix.S_IFLNK
}

// meant returns a path to the target of the symlink at path, if the caller can be
// assumed to mean the target: the symlink belongs to the caller or to root, or leads to a
// descriptor of this process. A symlink of another user may lead anywhere, and may change
// at any time.
func meant(path string) (string, bool) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", false
	}
	defer unix.Close(fd)
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err == nil && fs.Type == unix.PROC_SUPER_MAGIC {
		return path, true // the kernel makes the symlinks of proc
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", false
	}
	b := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", b)
	if err != nil {
		return "", false
	}
	text := string(b[:n])
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() && !strings.HasPrefix(text, "/proc/self/fd/") {
		return "", false
	}
	if !filepath.IsAbs(text) {
		text = filepath.Join(filepath.Dir(path), text)
	}
	return text, true
}

// writeInto appends to an existing file.
func writeInto(path string, b []byte) error {
	fd, err := openToWrite(path, unix.O_APPEND, 0)
	if err != nil {
		return wrap("open", path, err)
	}
	defer unix.Close(fd)
	return wrap("write", path, writeAll(fd, b))
}

// Append opens a file at a path of the caller's choice for appending, and makes it if it
// does not exist. It does not follow another user's symlink ([meant]).
func Append(path string, mode uint32) (*Appender, error) {
	return openOutput(path, unix.O_CREAT|unix.O_APPEND|unix.O_SYNC, mode)
}

// Create is [Append] for a file that is emptied first.
func Create(path string, mode uint32) (*Appender, error) {
	return openOutput(path, unix.O_CREAT|unix.O_TRUNC, mode)
}

func openOutput(path string, flags int, mode uint32) (*Appender, error) {
	fd, err := openToWrite(path, flags|unix.O_NOFOLLOW, mode)
	if errors.Is(err, unix.ELOOP) {
		to, ok := meant(path)
		if !ok {
			return nil, fmt.Errorf("%s is a symlink that belongs to another user, and is not followed", path)
		}
		fd, err = openToWrite(to, flags, mode)
	}
	if err != nil {
		return nil, wrap("open", path, err)
	}
	return &Appender{fd, path}, nil
}
