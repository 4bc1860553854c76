// Package store keeps what the runtime knows of its containers between its
// calls: one directory a container, below the root directory (/run/skiff).
//
//	ID/state        the record, written before anything else is made
//	ID/config.json  the configuration as it was when the container was made
//	ID/notify/      mounted in the container, where a service manager wants to hear of it
//	ID/start.sock   a created container's first process waits here for start
//
// A record is replaced by rename, so a reader sees the old one or the new one.
// Who changes a container holds the lock of its directory.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

const (
	recordFile = "state"
	configFile = "config.json"
	socketFile = "start.sock"
)

// Entry is a container's directory.
type Entry struct {
	path string
	lock int // descriptor that holds the lock, -1 without
}

// ErrBusy says that another runtime holds the lock.
var ErrBusy = errors.New("another command is at work on the container")

// At is the directory of container id, which may not exist.
func At(root, id string) *Entry { return &Entry{path: filepath.Join(root, id), lock: -1} }

// Path is the directory.
func (e *Entry) Path() string { return e.path }

// Exists tells that the directory is there.
func (e *Entry) Exists() bool {
	var st unix.Stat_t
	return unix.Lstat(e.path, &st) == nil
}

// Make makes the directory, and the root above it, and locks it. The error is
// fs.ErrExist if there is one already.
func (e *Entry) Make() error {
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
	if err := e.Lock(); err != nil {
		_ = unix.Rmdir(e.path)
		return err
	}
	return nil
}

// Lock takes the lock, waiting for it. fs.ErrNotExist: what it waited for was the
// container's end.
func (e *Entry) Lock() error {
	return e.LockOr(func(dir *Directory) error { return dir.flock(unix.LOCK_EX) })
}

// LockOr takes the lock. Each time that somebody else holds it, wait is called,
// whose error is the end of it. fs.ErrNotExist as with [Entry.Lock].
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

// Busy tells whether somebody else holds the lock.
func (e *Entry) Busy() (bool, error) {
	if e.lock >= 0 {
		return false, nil
	}
	dir, err := e.open()
	if err != nil {
		return false, err
	}
	defer unix.Close(dir.fd)
	err = dir.flock(unix.LOCK_EX | unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// Directory is an entry's directory that is open: another container may have its
// name by now.
type Directory struct {
	fd   int
	path string
}

func (e *Entry) open() (*Directory, error) {
	fd, err := unix.Open(e.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: e.path, Err: err}
	}
	return &Directory{fd, e.path}, nil
}

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

// Write replaces the record.
func (e *Entry) Write(r *Record) error {
	return e.replace(recordFile, r.encode())
}

// Prepare writes a record that [Entry.Commit] puts in the place of the other.
func (e *Entry) Prepare(r *Record) error { return e.writeNew(recordFile, r.encode()) }

// Commit replaces the record by the one that was prepared.
func (e *Entry) Commit() error { return e.renameNew(recordFile) }

// WriteConfig stores the configuration.
func (e *Entry) WriteConfig(b []byte) error { return e.replace(configFile, b) }

// replace writes a file by rename. The name of the new one is fixed: only the
// holder of the lock writes.
func (e *Entry) replace(name string, b []byte) error {
	if err := e.writeNew(name, b); err != nil {
		return err
	}
	return e.renameNew(name)
}

func (e *Entry) writeNew(name string, b []byte) error {
	return sys.WriteFile(filepath.Join(e.path, name)+".new", b)
}

func (e *Entry) renameNew(name string) error {
	path := filepath.Join(e.path, name)
	if err := unix.Rename(path+".new", path); err != nil {
		return &os.PathError{Op: "rename", Path: path, Err: err}
	}
	return nil
}

// Read returns the record. fs.ErrNotExist: there is no such container.
// A directory without a record is one that has just been made, or whose maker
// was killed at once: the record is then empty.
func (e *Entry) Read() (*Record, error) {
	b, err := sys.ReadFile(filepath.Join(e.path, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		if _, dirErr := os.Stat(e.path); dirErr != nil {
			return nil, dirErr
		}
		return &Record{ID: filepath.Base(e.path)}, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(e.path, recordFile), err)
	}
	return r, nil
}

// Config returns the stored configuration.
func (e *Entry) Config() ([]byte, error) { return sys.ReadFile(filepath.Join(e.path, configFile)) }

// Remove removes the directory.
func (e *Entry) Remove() error {
	for _, name := range [...]string{socketFile, configFile, recordFile} {
		_ = unix.Unlink(filepath.Join(e.path, name))
	}
	err := unix.Rmdir(e.path)
	if err == unix.ENOTEMPTY {
		// A temporary file of a runtime that was killed, or the directory for
		// notify, which a container may have filled.
		return sys.RemoveTree(e.path)
	}
	if err != nil && err != unix.ENOENT {
		return &os.PathError{Op: "rmdir", Path: e.path, Err: err}
	}
	return nil
}

// Listen makes the socket at which the first process waits for start.
func (e *Entry) Listen() (*os.File, error) {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "socket", Path: e.socket(), Err: err}
	}
	// The path of a socket has 107 bytes at most; the lock's descriptor leads
	// to the directory whatever its length.
	addr := fmt.Sprintf("/proc/self/fd/%d/%s", e.lock, socketFile)
	if err := unix.Bind(s, &unix.SockaddrUnix{Name: addr}); err != nil {
		unix.Close(s)
		return nil, &os.PathError{Op: "bind", Path: e.socket(), Err: err}
	}
	if err := unix.Listen(s, 1); err != nil {
		unix.Close(s)
		return nil, &os.PathError{Op: "listen", Path: e.socket(), Err: err}
	}
	return os.NewFile(uintptr(s), e.socket()), nil
}

func (e *Entry) socket() string { return filepath.Join(e.path, socketFile) }

// Waiting tells that the socket is there: start has not been called.
func (e *Entry) Waiting() bool {
	var st unix.Stat_t
	return unix.Lstat(e.socket(), &st) == nil
}

// Connect connects to the waiting process. The socket's name goes as soon as
// the connection stands: there is one start.
func (e *Entry) Connect() (int, error) {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "socket", Path: e.socket(), Err: err}
	}
	addr := fmt.Sprintf("/proc/self/fd/%d/%s", e.lock, socketFile)
	for {
		err = unix.Connect(s, &unix.SockaddrUnix{Name: addr})
		if err != unix.EINTR {
			break
		}
	}
	_ = unix.Unlink(e.socket())
	if err != nil {
		unix.Close(s)
		return -1, &os.PathError{Op: "connect", Path: e.socket(), Err: err}
	}
	return s, nil
}

// List returns the ids of all containers below root. The name of a directory
// that is no container begins with a character that no id has.
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
