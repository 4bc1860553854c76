package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Create makes the group's directories and enables the controllers that its
// resources need. When it fails, what it made is gone again, and the caller
// has nothing to kill or remove: a cgroup that is refused belongs to another.
func (g *Group) Create() error {
	var made []string
	old := false
	for i := range g.members {
		m := &g.members[i]
		dirs, err := makeOpen(m.path)
		made = append(made, dirs...)
		fresh := slices.Contains(dirs, m.path)
		old = old || !fresh
		if err == nil {
			err = g.prepare(m, fresh)
		}
		if err != nil {
			removeEmpty(made)
			g.Withdraw()
			return ofPath(err)
		}
	}
	g.made = made
	if old {
		g.Mark()
	}
	return nil
}

// removeEmpty removes directories, the last one first, as far as they are empty.
func removeEmpty(dirs []string) {
	for _, d := range slices.Backward(dirs) {
		_ = unix.Rmdir(d)
	}
}

// ofPath is an error of the cgroup's path, unless it says itself what it is of.
func ofPath(err error) error {
	if field := (*FieldError)(nil); errors.As(err, &field) {
		return err
	}
	return &FieldError{pathField, err}
}

// dirMode is the mode of each cgroup, whatever the caller's umask: the
// container's user may look at it.
const dirMode = 0o755

// makeOpen is makeAll with all modes as they should be. To ask for one mode is
// cheaper than to change each, or than to set the umask, which all threads have
// in common, and to set it back.
func makeOpen(p string) (made []string, err error) {
	made, err = makeAll(p)
	if err != nil || len(made) == 0 {
		return made, err
	}
	var st unix.Stat_t
	if err := unix.Lstat(p, &st); err != nil {
		return made, &os.PathError{Op: "lstat", Path: p, Err: err}
	}
	if st.Mode&0o777 == dirMode {
		return made, nil
	}
	for _, d := range made {
		if err := unix.Chmod(d, dirMode); err != nil {
			return made, &os.PathError{Op: "chmod", Path: d, Err: err}
		}
	}
	return made, nil
}

// makeAll makes path and what is missing above it. It tells what it made, the
// top one first, in case of an error too.
func makeAll(p string) (made []string, err error) {
	switch err := unix.Mkdir(p, dirMode); err {
	case nil:
		return []string{p}, nil
	case unix.EEXIST:
		return nil, nil
	case unix.ENOENT:
	default:
		return nil, &os.PathError{Op: "mkdir", Path: p, Err: err}
	}
	if path.Dir(p) == "/" {
		return nil, &os.PathError{Op: "mkdir", Path: p, Err: unix.ENOENT}
	}
	made, err = makeAll(path.Dir(p))
	if err != nil {
		return made, err
	}
	if err := unix.Mkdir(p, dirMode); err == nil {
		made = append(made, p)
	} else if err != unix.EEXIST {
		return made, &os.PathError{Op: "mkdir", Path: p, Err: err}
	}
	return made, nil
}

// prepare makes a directory ready for processes. In one that was there before,
// there must not be any.
func (g *Group) prepare(m *member, fresh bool) error {
	d, err := openDir(m.path)
	if err != nil {
		return err
	}
	defer d.close()
	if err := m.free(d, fresh); err != nil {
		return err
	}
	if slices.Contains(m.names, "cpuset") {
		return fillCpuset(m)
	}
	if !m.unified() {
		return nil
	}
	if err := g.enable(m, d); err != nil {
		return err
	}
	return g.delegate(d)
}

// free tells whether processes can be put into the cgroup: none is there yet
// and it is not frozen, be it by a cgroup above it.
func (m *member) free(d dir, fresh bool) error {
	if m.unified() {
		return d.freeUnified()
	}
	if slices.Contains(m.names, "freezer") {
		state, err := d.read("freezer.state")
		if err != nil {
			return err
		}
		if state != "THAWED" {
			return fmt.Errorf("%w: %s is %s", ErrFrozen, m.path, state)
		}
	}
	if fresh {
		return nil
	}
	return d.unpopulated()
}

// usable is free for a cgroup that may not be there, or that goes away meanwhile.
func (m *member) usable() error {
	d, err := openDir(m.path)
	if err != nil {
		if gone(err) {
			return nil
		}
		return err
	}
	defer d.close()
	return notGone(m.free(d, false))
}

func (d dir) freeUnified() error {
	events, err := d.read("cgroup.events")
	if errors.Is(err, unix.ENOENT) {
		return nil // the root of all; the cgroup itself was checked by its path
	}
	if err != nil {
		return err
	}
	if keyed(events, "populated") != "0" {
		if err := d.unpopulated(); err != nil {
			return err
		}
	}
	if keyed(events, "frozen") != "0" {
		return fmt.Errorf("%w: %s", ErrFrozen, d.path)
	}
	return nil
}

func (d dir) unpopulated() error {
	pids, err := d.allPids()
	if err != nil {
		return err
	}
	if len(pids) > 0 {
		return fmt.Errorf("%w: %d process(es) found in %s", ErrNotEmpty, len(pids), d.path)
	}
	return nil
}

// fillCpuset gives a v1 cpuset, and those above it, the CPUs and memory nodes
// of its parent where it has none: a process cannot enter an empty one.
func fillCpuset(m *member) error {
	for _, file := range [...]string{"cpuset.cpus", "cpuset.mems"} {
		if _, err := inherit(m.path, m.mount, file); err != nil {
			return err
		}
	}
	return nil
}

func inherit(p, mount, file string) (string, error) {
	d, err := openDir(p)
	if err != nil {
		return "", err
	}
	defer d.close()
	value, err := d.read(file)
	if err != nil || value != "" || p == mount {
		return value, err
	}
	if value, err = inherit(path.Dir(p), mount, file); err != nil {
		return "", err
	}
	return value, d.write(file, value)
}

func hasField(text, word string) bool {
	for f := range strings.FieldsSeq(text) {
		if f == word {
			return true
		}
	}
	return false
}
