package sys

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Walk goes through a tree of directories that others own, and may change
// meanwhile: however deep, wide and long-named they make it, it takes one step
// at a time, from a directory to the next one below or above, and holds no more
// than three descriptors. Of memory it takes the names that are still to be
// visited on the way from the top.
//
// No step leaves the file system or follows a symbolic link. What vanishes
// meanwhile is passed over, and what appears in a directory that was read
// already is not seen.
type Walk struct {
	// Enter, if not nil, is called with each directory, before what is in it.
	// name is the last component of its path, empty for the top, whose depth
	// is 0.
	Enter func(fd int, name string, depth int) error
	// Prune, if not nil, is called with what is to be entered, and again when
	// what is below was visited. It reports whether there is nothing (any more)
	// to enter.
	Prune func(parent int, name string) (gone bool, err error)
	// Files has Prune called with everything, not with directories alone.
	Files bool
}

// ErrMoved says that a directory was moved while it was walked through.
var ErrMoved = errors.New("the directory was moved meanwhile")

// Run walks through the tree of the open directory top.
func (w *Walk) Run(top int) error {
	t := &trip{Walk: w, top: top, at: top}
	defer t.to(top)
	first, err := t.look(top, "")
	if err != nil {
		return err
	}
	t.way = append(t.way, first)
	for len(t.way) > 0 {
		name, more := t.way[len(t.way)-1].next()
		if more {
			err = t.visit(name)
		} else {
			err = t.up()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// trip is a walk under way.
type trip struct {
	*Walk
	top, at int    // at is the directory of the last stop
	way     []stop // from the top
	buf     []byte // for getdents64
}

// stop is a directory on the way.
type stop struct {
	name     string
	dev, ino uint64
	left     []byte // names to visit, a NUL after each
}

func (s *stop) next() (name string, more bool) {
	before, after, more := bytes.Cut(s.left, []byte{0})
	s.left = after
	return string(before), more
}

// to goes to another directory that is open.
func (t *trip) to(fd int) {
	if t.at != t.top {
		unix.Close(t.at)
	}
	t.at = fd
}

// visit enters name, and goes there if there is something below it.
func (t *trip) visit(name string) error {
	if gone, err := t.prune(name); gone || err != nil {
		return err
	}
	fd, err := openStep(t.at, name, unix.RESOLVE_BENEATH)
	if absent(err) {
		return nil
	}
	if err != nil {
		return wrap("open", name, err)
	}
	s, err := t.look(fd, name)
	if err != nil || len(s.left) == 0 {
		unix.Close(fd)
		if err == nil {
			_, err = t.prune(name)
		}
		return err
	}
	t.to(fd)
	t.way = append(t.way, s)
	return nil
}

func (t *trip) prune(name string) (gone bool, err error) {
	if t.Prune == nil {
		return false, nil
	}
	return t.Prune(t.at, name)
}

// look enters a directory and reads what is in it.
func (t *trip) look(fd int, name string) (stop, error) {
	s := stop{name: name}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return s, wrap("fstat", name, err)
	}
	s.dev, s.ino = st.Dev, st.Ino
	if t.Enter != nil {
		if err := t.Enter(fd, name, len(t.way)); err != nil {
			return s, err
		}
	}
	if st.Nlink == 2 && !t.Files { // none below: most often that is all
		return s, nil
	}
	err := t.read(fd, &s)
	if absent(err) {
		err = nil
	}
	return s, wrap("read", name, err)
}

// read reads the names in a directory.
func (t *trip) read(fd int, s *stop) error {
	if t.buf == nil {
		t.buf = make([]byte, 32<<10)
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return err
	}
	for {
		var n int
		err := retry(func() (err error) { n, err = unix.Getdents(fd, t.buf); return err })
		if err != nil || n == 0 {
			return err
		}
		s.add(t.buf[:n], t.Files)
	}
}

// add takes the names out of what getdents64(2) has read: directories', or all.
func (s *stop) add(entries []byte, files bool) {
	const lengthAt, typeAt, nameAt = 16, 18, 19
	for len(entries) > nameAt {
		end := int(binary.NativeEndian.Uint16(entries[lengthAt:]))
		kind := entries[typeAt]
		name, _, _ := bytes.Cut(entries[nameAt:end], []byte{0})
		entries = entries[end:]
		if string(name) == "." || string(name) == ".." || !files && kind != unix.DT_DIR && kind != unix.DT_UNKNOWN {
			continue
		}
		s.left = append(append(s.left, name...), 0)
	}
}

// up goes back to the directory above, which must be the one that it came from.
func (t *trip) up() error {
	last := t.way[len(t.way)-1]
	t.way = t.way[:len(t.way)-1]
	switch len(t.way) {
	case 0:
		return nil
	case 1:
		t.to(t.top)
	default:
		fd, err := openStep(t.at, "..", 0)
		if err != nil {
			return wrap("open", last.name+"/..", err)
		}
		t.to(fd)
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return wrap("fstat", last.name+"/..", err)
		}
		if above := &t.way[len(t.way)-1]; st.Dev != above.dev || st.Ino != above.ino {
			return wrap("open", last.name+"/..", ErrMoved)
		}
	}
	_, err := t.prune(last.name)
	return err
}

// absent reports that there is no directory (any more).
func absent(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}

func openStep(at int, name string, resolve uint64) (int, error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: resolve | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
	for {
		fd, err := unix.Openat2(at, name, &how)
		if err != unix.EINTR && err != unix.EAGAIN {
			return fd, err
		}
	}
}

// RemoveDirectories removes all directories below the open directory top, as
// far as they are empty then: what a cgroup file system lets be removed.
func RemoveDirectories(top int) error {
	w := &Walk{Prune: func(parent int, name string) (bool, error) {
		switch err := unix.Unlinkat(parent, name, unix.AT_REMOVEDIR); err {
		case nil, unix.ENOENT, unix.ENODEV:
			return true, nil
		case unix.EBUSY, unix.ENOTEMPTY:
			return false, nil
		default:
			return false, wrap("rmdir", name, err)
		}
	}}
	return w.Run(top)
}

// RemoveTree removes a directory and all below it. One that does not exist is
// fine.
func RemoveTree(path string) error {
	var err error
	for range 10 { // somebody may put something into it meanwhile
		if err = removeOnce(path); !errors.Is(err, ErrMoved) && !errors.Is(err, unix.ENOTEMPTY) {
			break
		}
	}
	return err
}

func removeOnce(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT {
		return nil
	}
	if err != nil {
		return wrap("open", path, err)
	}
	defer unix.Close(fd)
	w := &Walk{Files: true, Prune: removeEntry}
	if err := w.Run(fd); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return wrap("rmdir", path, unix.Rmdir(path))
}

// removeEntry removes a file, or a directory that is empty.
func removeEntry(parent int, name string) (gone bool, err error) {
	err = unix.Unlinkat(parent, name, 0)
	if err == unix.EISDIR {
		err = unix.Unlinkat(parent, name, unix.AT_REMOVEDIR)
	}
	switch err {
	case nil, unix.ENOENT:
		return true, nil
	case unix.ENOTEMPTY:
		return false, nil
	}
	return false, wrap("unlink", name, err)
}
