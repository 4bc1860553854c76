// SPDX-License-Identifier: Apache-2.0

// Package store keeps what the runtime knows about its containers between
// invocations: one directory per container, below the root directory (/run/skiff).
//
//	ID/state        the record, written before anything else is made
//	ID/state.spare  the next record while the container is made, afterwards the previous one
//	ID/init         a symlink whose text identifies the first process
//	ID/config.json  the configuration as it was when the container was made
//	ID/notify/      mounted in the container if a service manager wants to be notified
//	ID/start.sock   a created container's first process waits here for start
//
// A record is replaced by rename, so a reader sees either the old one or the new one.
// If the record is damaged, the spare one and the symlink suffice to find and end the
// container (salvage.go). Other versions of skiff read the record, too: record.go has
// the rules for that.
//
// A process that changes a container holds the lock of its directory, and reads and
// writes through the locked descriptor. Only the holder of the lock removes the
// directory. A process may get the lock of a directory that was removed while it waited:
// it finds nothing there and can put nothing there, even if another container has the
// name by now. A directory that has a record has not been removed, so no further check
// is needed.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

const (
	recordFile = "state"
	spareFile  = "state.spare"
	initLink   = "init"
	configFile = "config.json"
	socketFile = "start.sock"
)

// Entry is a container's directory, which may not exist.
type Entry struct {
	Writer string // version of this skiff, which is stored in the records that it writes

	path   string
	lock   int     // descriptor that holds the lock, -1 without
	text   []byte  // of the last record that was read or written
	reader *Reader // what it shares with other entries; may be nil
}

// At is the directory of container id, which may not exist.
func At(root, id string) *Entry { return &Entry{path: filepath.Join(root, id), lock: -1} }

// Path is the directory.
func (e *Entry) Path() string { return e.path }

// dir is where the container's files are: the locked directory, or what has its
// name.
func (e *Entry) dir() sys.Dir {
	if e.lock >= 0 {
		return sys.Dir{FD: e.lock, Path: e.path}
	}
	return sys.Dir{FD: unix.AT_FDCWD, Path: e.path}
}

// ID is the id of the container.
func (e *Entry) ID() string { return filepath.Base(e.path) }

// Exists reports whether the directory is there.
func (e *Entry) Exists() bool {
	var st unix.Stat_t
	return unix.Lstat(e.path, &st) == nil
}

// makeTries is how often Make starts over when another process removes the directory
// before it is locked.
const makeTries = 1000

// Make makes the directory, and the root above it, locks it, and writes the
// first record. The error is fs.ErrExist if there is a container already; then,
// and after any other error, nothing of it has changed.
func (e *Entry) Make(r *Record) (err error) {
	text := e.encode(r)
	for range makeTries {
		if err = e.tryMake(text); err == nil {
			return nil
		}
		e.Unlock()
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return err
}

// tryMake makes the directory and the first record. The error is fs.ErrNotExist if
// another process removed the directory before it was locked.
func (e *Entry) tryMake(text []byte) error {
	if err := trace.Timed("make", e.path, e.mkdir); err != nil {
		return err
	}
	if err := e.Lock(); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			_ = unix.Rmdir(e.path)
		}
		return err
	}
	err := e.writeFirst(text)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
		_ = unix.Rmdir(e.path)
	}
	return err
}

func (e *Entry) mkdir() error {
	err := unix.Mkdir(e.path, 0o700)
	if err == unix.ENOENT {
		if err := os.MkdirAll(filepath.Dir(e.path), 0o700); err != nil {
			return err
		}
		err = unix.Mkdir(e.path, 0o700)
	}
	if err != nil {
		return &os.PathError{Op: "mkdir", Path: e.path, Err: err}
	}
	return nil
}

// writeFirst writes the record of a new directory. If there is one already, another
// runtime removed our directory, made its own, and finished before we had the lock: the
// directory is that runtime's (fs.ErrExist).
func (e *Entry) writeFirst(text []byte) error {
	d := e.dir()
	if err := d.Write(spareFile, text, unix.O_EXCL); err != nil {
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			_ = d.Unlink(spareFile)
		}
		return err
	}
	err := d.Rename(spareFile, recordFile, unix.RENAME_NOREPLACE)
	if unsupported(err) {
		if err = fs.ErrExist; !d.Has(recordFile) {
			err = d.Rename(spareFile, recordFile, 0)
		}
	}
	if err != nil {
		_ = d.Unlink(spareFile)
	}
	return err
}

// unsupported reports whether err means that the file system, or a seccomp filter
// around us, does not support a flag of renameat2(2).
func unsupported(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS)
}

// Lock takes the lock of the directory that has the container's name now, and waits for
// it if need be. The error is fs.ErrNotExist if the container was removed while it
// waited. If it did not wait, the directory may have been removed just before:
// [Entry.Read] finds that out.
func (e *Entry) Lock() error {
	return e.LockOr((*Directory).Wait)
}

// LockOr takes the lock. As long as another process holds it, it calls wait, and stops
// if that fails. The error is fs.ErrNotExist as with [Entry.Lock].
func (e *Entry) LockOr(wait func(*Directory) error) error {
	dir, err := e.open()
	if err != nil {
		return err
	}
	err = dir.flock(unix.LOCK_EX | unix.LOCK_NB)
	for waited := false; errors.Is(err, unix.EWOULDBLOCK) || err == nil && waited; {
		if dir.Gone() {
			err = &os.PathError{Op: "flock", Path: e.path, Err: fs.ErrNotExist}
			break
		}
		if err == nil {
			break
		}
		if err = wait(dir); err != nil {
			break
		}
		waited = true
		err = dir.flock(unix.LOCK_EX | unix.LOCK_NB)
	}
	if err != nil {
		unix.Close(dir.fd)
		return err
	}
	e.lock = dir.fd
	return nil
}

// Busy reports whether another process holds the lock.
func (e *Entry) Busy() (bool, error) {
	if e.lock >= 0 {
		return false, nil
	}
	dir, err := e.open()
	if err != nil {
		return false, err
	}
	defer unix.Close(dir.fd)
	err = dir.flock(unix.LOCK_SH | unix.LOCK_NB) // shared: two processes that ask do not count as busy
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// Directory is an entry's open directory: another container may have its name by now.
type Directory struct {
	fd   int
	path string
}

func (e *Entry) open() (*Directory, error) {
	fd, err := unix.Open(e.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: e.path, Err: err}
	}
	return &Directory{fd, e.path}, nil
}

// Wait waits until no other process holds the lock, and takes it.
func (d *Directory) Wait() error { return d.flock(unix.LOCK_EX) }

func (d *Directory) flock(how int) error {
	for {
		switch err := unix.Flock(d.fd, how); err {
		case unix.EINTR:
		case nil:
			return nil
		default:
			return &os.PathError{Op: "flock", Path: d.path, Err: err}
		}
	}
}

// Gone reports whether the directory has been removed.
func (d *Directory) Gone() bool {
	var st unix.Stat_t
	return unix.Fstat(d.fd, &st) == nil && st.Nlink == 0
}

// Unlock gives the lock back.
func (e *Entry) Unlock() {
	if e.lock >= 0 {
		unix.Close(e.lock)
		e.lock = -1
	}
}

// gone reports whether no directory has the container's name, or, if e is locked, one
// other than the locked directory.
func (e *Entry) gone() (bool, error) {
	var named, locked unix.Stat_t
	err := unix.Lstat(e.path, &named)
	if err == unix.ENOENT {
		return true, nil
	}
	if err != nil {
		return false, &os.PathError{Op: "lstat", Path: e.path, Err: err}
	}
	if e.lock < 0 {
		return false, nil
	}
	if err := unix.Fstat(e.lock, &locked); err != nil {
		return false, &os.PathError{Op: "fstat", Path: e.path, Err: err}
	}
	return named.Dev != locked.Dev || named.Ino != locked.Ino, nil
}

// encode returns a record as this skiff writes it. The next call uses the same memory.
func (e *Entry) encode(r *Record) []byte {
	r.Writer = e.Writer
	e.text = r.encodeInto(e.text)
	return e.text
}

// Write replaces the record.
func (e *Entry) Write(r *Record) error {
	if err := e.dir().Write(spareFile, e.encode(r), 0); err != nil {
		return err
	}
	return e.dir().Rename(spareFile, recordFile, 0)
}

// Prepare writes a record that [Entry.Commit] puts in place of the present one.
func (e *Entry) Prepare(r *Record) error {
	if err := e.linkInit(r); err != nil {
		return err
	}
	return e.dir().Write(spareFile, e.encode(r), 0)
}

// Commit replaces the record by the one that was prepared, and keeps the old one
// as the spare one.
func (e *Entry) Commit() error {
	err := e.dir().Rename(spareFile, recordFile, unix.RENAME_EXCHANGE)
	if unsupported(err) {
		return e.dir().Rename(spareFile, recordFile, 0)
	}
	return err
}

// PutConfig stores the configuration of a container that is being made. Nobody else
// reads it until the record says that the container is made.
func (e *Entry) PutConfig(b []byte) error { return e.dir().Write(configFile, b, 0) }

// ReplaceConfig replaces the configuration. The temporary file has a fixed name:
// only the holder of the lock writes.
func (e *Entry) ReplaceConfig(b []byte) error {
	const temp = configFile + ".new"
	if err := e.dir().Write(temp, b, 0); err != nil {
		return err
	}
	return e.dir().Rename(temp, configFile, 0)
}

// maxFile is the largest size, in bytes, of a record or a configuration.
const maxFile = 64 << 20

// Read returns the record. The error is fs.ErrNotExist if there is no such container,
// or the directory was removed before it was locked. It is [ErrDamaged] if this version
// of skiff cannot use the record; what Read returns beside that error is what is known
// all the same, and it is enough to find and end the container.
//
// A directory without a record has just been made, or its maker was killed at once. The
// record returned for it has only the id.
func (e *Entry) Read() (*Record, error) {
	b, err := e.readRecord()
	if errors.Is(err, fs.ErrNotExist) {
		return e.recordless()
	}
	if e.reader == nil {
		return e.judge(recordFile, b, err, decode)
	}
	return e.judge(recordFile, b, err, func(b []byte) (*Record, error) { return &e.reader.record, e.reader.record.decode(b) })
}

// judge decodes the record b that was read from file; err is the error of the reading.
func (e *Entry) judge(file string, b []byte, err error, decode func([]byte) (*Record, error)) (*Record, error) {
	var r *Record
	if err == nil {
		r, err = decode(b)
	}
	if err == nil && r.ID != e.ID() {
		err = fmt.Errorf("it belongs to container %q", r.ID)
	}
	if err != nil {
		return e.damaged(file, err)
	}
	return r, nil
}

// recordless is what Read returns for a directory without a record.
func (e *Entry) recordless() (*Record, error) {
	gone, err := e.gone()
	switch d := e.dir(); {
	case err != nil:
		return nil, err
	case gone:
		return nil, &os.PathError{Op: "open", Path: e.path, Err: unix.ENOENT}
	case d.Has(oldFile):
		b, err := d.ReadRegular(oldFile, maxFile)
		return e.judge(oldFile, b, err, decode0)
	case d.Has(initLink) || d.Has(configFile): // these are made after the record, and removed before it
		return e.damaged(recordFile, errors.New("it is missing"))
	}
	return &Record{ID: e.ID()}, nil
}

// Config returns the stored configuration.
func (e *Entry) Config() ([]byte, error) { return e.dir().ReadRegular(configFile, maxFile) }

// Remove removes the directory. The configuration is removed first: its absence means
// that the poststop hooks have run. The record is removed last, so that a reader without
// the lock sees it as long as anything is left.
func (e *Entry) Remove() (err error) {
	if m := trace.Begin(); m.On() {
		defer func() { m.Done(err, "remove", e.path) }()
	}
	for _, name := range [...]string{configFile, socketFile, initLink, spareFile, recordFile} {
		_ = e.dir().Unlink(name)
	}
	err = unix.Rmdir(e.path)
	if err == unix.ENOTEMPTY {
		// A file of an older version, a temporary file of a runtime that was killed,
		// or the directory for notify, which a container may have filled.
		return sys.RemoveTree(e.path)
	}
	if err != nil && err != unix.ENOENT {
		return &os.PathError{Op: "rmdir", Path: e.path, Err: err}
	}
	return nil
}

// List returns the ids of all containers below root. The names of directories that are
// not containers begin with a character that no id has.
func List(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && e.Name()[0] != Private[0] {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// Private begins the names of the runtime's own directories below the root.
const Private = "@"
