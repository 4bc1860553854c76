// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// Walk walks a tree of directories that others own and may change during the walk.
// However deep and wide they make it, and however long its names, the walk takes one
// step at a time, from a directory to the next one below or above. A directory with many
// names is kept open and read in pieces, unless there are many of these on the way from
// the top. So a walk holds few descriptors and needs little memory.
//
// No step leaves the file system or follows a symbolic link. Directories that vanish
// during the walk are skipped; names that appear in a directory after it was read are
// not seen.
type Walk struct {
	// Enter, if not nil, is called with each directory, before its contents. name
	// is the last component of its path; it is empty for the top, whose depth is 0.
	Enter func(fd int, name string, depth int) error
	// Prune, if not nil, is called with each name that is to be entered, and again
	// after everything below it was visited. It reports whether there is nothing to
	// enter (any more).
	Prune func(parent int, name string) (gone bool, err error)
	// Files has Prune called with all names, not only with those of directories.
	Files bool
}

// ErrMoved means that a directory was moved during the walk.
var ErrMoved = errors.New("the directory was moved in the meantime")

// Run walks through the tree of the open directory top.
func (w *Walk) Run(top int) error {
	t := &trip{Walk: w, top: top, at: top}
	defer t.close()
	first, err := t.look(top, "")
	if err != nil {
		return err
	}
	t.way = append(t.way, first)
	for len(t.way) > 0 {
		here := &t.way[len(t.way)-1]
		name, more := here.next()
		switch {
		case more:
			err = t.visit(name)
		case here.unread:
			err = t.read(t.at, here, bite)
		default:
			err = t.up()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	bite     = 32 << 10 // how many bytes of names are read from a directory at once
	mostKept = 8        // how many directories that are not read to the end are kept open
)

// trip is the state of a walk.
type trip struct {
	*Walk
	top, at int    // at is the directory of the last stop of way
	way     []stop // from the top
	kept    int    // how many of them are open
	buf     []byte // for getdents64
}

// stop is a directory on the way.
type stop struct {
	name     string
	dev, ino uint64
	left     []byte // names still to visit, each ended by NUL
	unread   bool   // there are more than these
	kept     bool   // fd is open, while the walk is below
	fd       int
}

func (s *stop) next() (name string, more bool) {
	before, after, more := bytes.Cut(s.left, []byte{0})
	s.left = after
	return string(before), more
}

// close closes what the walk has opened.
func (t *trip) close() {
	t.shut(t.at)
	for i := range t.way {
		if t.way[i].kept {
			t.shut(t.way[i].fd)
		}
	}
}

// shut closes a directory unless it is the top.
func (t *trip) shut(fd int) {
	if fd != t.top {
		unix.Close(fd)
	}
}

// visit enters name, and goes down into it if there is something to visit.
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
	if err == nil && len(s.left) > 0 {
		if err = t.down(fd, s); err == nil {
			return nil
		}
	}
	unix.Close(fd)
	if err == nil {
		_, err = t.prune(name)
	}
	return err
}

// down goes down into the directory fd. The one above stays open if it is not read to
// the end; if too many are open already, it is read to the end first.
func (t *trip) down(fd int, s stop) error {
	above := &t.way[len(t.way)-1]
	if above.unread && t.kept == mostKept {
		if err := t.read(t.at, above, math.MaxInt); err != nil {
			return err
		}
	}
	if above.unread {
		above.kept, above.fd = true, t.at
		t.kept++
	} else {
		t.shut(t.at)
	}
	t.at = fd
	t.way = append(t.way, s)
	return nil
}

func (t *trip) prune(name string) (gone bool, err error) {
	if t.Prune == nil {
		return false, nil
	}
	return t.Prune(t.at, name)
}

// look enters a directory and reads the first names in it.
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
	if st.Nlink == 2 && !t.Files { // it has no subdirectories, which is the usual case
		return s, nil
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return s, wrap("seek", name, err)
	}
	return s, t.read(fd, &s, bite)
}

// read reads names from a directory until it has enough bytes of them, or there are no
// more.
func (t *trip) read(fd int, s *stop, enough int) error {
	if t.buf == nil {
		t.buf = make([]byte, bite)
	}
	for s.unread = true; len(s.left) < enough; {
		var n int
		err := retry(func() (err error) { n, err = unix.Getdents(fd, t.buf); return err })
		if n == 0 || absent(err) {
			s.unread = false
			return nil
		}
		if err != nil {
			return wrap("read", s.name, err)
		}
		s.add(t.buf[:n], t.Files)
	}
	return nil
}

// add takes the names from what getdents64(2) has read: those of directories, or all.
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

// up goes back to the directory above, and prunes the one that it leaves.
func (t *trip) up() error {
	last := t.way[len(t.way)-1]
	t.way = t.way[:len(t.way)-1]
	if len(t.way) == 0 {
		return nil
	}
	fd, err := t.above(last.name)
	if err != nil {
		return err
	}
	t.shut(t.at)
	t.at = fd
	_, err = t.prune(last.name)
	return err
}

// above opens the parent of the directory name. It must be the one that the walk came
// from.
func (t *trip) above(name string) (int, error) {
	s := &t.way[len(t.way)-1]
	if s.kept {
		s.kept = false
		t.kept--
		return s.fd, nil
	}
	if len(t.way) == 1 {
		return t.top, nil
	}
	fd, err := openStep(t.at, "..", 0)
	if err != nil {
		return -1, wrap("open", name+"/..", err)
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && (st.Dev != s.dev || st.Ino != s.ino) {
		err = ErrMoved
	}
	if err != nil {
		unix.Close(fd)
		return -1, wrap("open", name+"/..", err)
	}
	return fd, nil
}

// absent reports whether err means that there is no directory (any more).
func absent(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}

func openStep(at int, name string, resolve uint64) (int, error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: resolve | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
	return Openat2(at, name, &how)
}

// RemoveDirectories removes all directories below the open directory top that are empty
// or become so. In a cgroup file system that is all that can be removed.
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

// RemoveTree removes a directory and everything below it. It is not an error if the
// directory does not exist.
func RemoveTree(path string) error {
	var err error
	for range 10 { // another process may put something into it meanwhile
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

// removeEntry removes a file or an empty directory.
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
