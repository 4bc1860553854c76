package sys

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// Walk goes through a tree of directories that others own, and may change
// meanwhile: however deep, wide and long-named they make it, it takes one step
// at a time, from a directory to the next one below or above. A directory of
// many names is kept open and read bit by bit, if there are not many of these on
// the way from the top; so it holds few descriptors, and little memory.
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
	bite     = 32 << 10 // how much is read of a directory at once
	mostKept = 8        // how many that are not read to their ends are kept open
)

// trip is a walk under way.
type trip struct {
	*Walk
	top, at int    // at is the directory of the last stop
	way     []stop // from the top
	kept    int    // how many of them are open
	buf     []byte // for getdents64
}

// stop is a directory on the way.
type stop struct {
	name     string
	dev, ino uint64
	left     []byte // names to visit, a NUL after each
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

// shut closes a directory, but the top.
func (t *trip) shut(fd int) {
	if fd != t.top {
		unix.Close(fd)
	}
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

// down goes to the directory fd. The one above stays open as long as it is not
// read to its end, unless there are too many of these.
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
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return s, wrap("seek", name, err)
	}
	return s, t.read(fd, &s, bite)
}

// read reads names in a directory until there are so many bytes of them, or no
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

// up goes back to the directory above.
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

// above opens the directory above that of name. It must be the one that the walk
// came from.
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

// absent reports that there is no directory (any more).
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
