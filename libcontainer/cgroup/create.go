// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// Create makes the group's directories and enables the controllers that its resources
// need. If it fails, it has removed the directories that it made. The caller must then
// kill and remove nothing: a cgroup that is refused belongs to somebody else.
func (g *Group) Create() error {
	var made []string
	old := false
	for i := range g.members {
		m := &g.members[i]
		dirs, err := mkdirAllMode(m.path)
		made = append(made, dirs...)
		fresh := slices.Contains(dirs, m.path)
		old = old || !fresh
		if err == nil {
			err = g.prepare(m, fresh)
		}
		if err != nil {
			removeEmpty(made)
			g.Withdraw()
			return asPathError(err)
		}
	}
	g.made = made
	if old {
		g.Mark()
	}
	return nil
}

// removeEmpty removes those of the directories that are empty, the last one first.
func removeEmpty(dirs []string) {
	for _, d := range slices.Backward(dirs) {
		_ = unix.Rmdir(d)
	}
}

// asPathError returns err as an error in linux.cgroupsPath, unless it names a field
// already.
func asPathError(err error) error {
	if field := (*FieldError)(nil); errors.As(err, &field) {
		return err
	}
	return &FieldError{pathField, err}
}

// dirMode is the mode of each new cgroup, whatever the caller's umask: the container's
// user may read it.
const dirMode = 0o755

// mkdirAllMode is mkdirAll with dirMode for all new directories. To check the mode of one
// directory is cheaper than to chmod each, or than to set the umask, which all threads
// share, and set it back.
func mkdirAllMode(p string) (made []string, err error) {
	m := trace.Begin()
	made, err = mkdirAll(p)
	if m.On() {
		m.Noted(err, "make", p, fmt.Sprintf("%d new directories", len(made)))
	}
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

// mkdirAll makes the directory p and its missing parents. It returns the directories
// that it made, the topmost first, even if it fails.
func mkdirAll(p string) (made []string, err error) {
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
	made, err = mkdirAll(path.Dir(p))
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

// prepare makes a cgroup ready for processes. One that existed before (not fresh) must
// not have any.
func (g *Group) prepare(m *member, fresh bool) error {
	d, err := openDir(m.path)
	if err != nil {
		return err
	}
	defer d.close()
	if err := m.checkFree(d, fresh); err != nil {
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

// checkFree returns an error unless processes can be put into the cgroup: it must be
// empty, unless it is fresh, and must not be frozen, itself or by a cgroup above it.
func (m *member) checkFree(d dir, fresh bool) error {
	if m.unified() {
		return d.checkFreeUnified()
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
	return d.checkEmpty()
}

// checkFreeIfThere is checkFree for a cgroup that need not exist.
func (m *member) checkFreeIfThere() error {
	d, err := openDir(m.path)
	if err != nil {
		if gone(err) {
			return nil
		}
		return err
	}
	defer d.close()
	return ignoreGone(m.checkFree(d, false))
}

func (d dir) checkFreeUnified() error {
	events, err := d.read("cgroup.events")
	if errors.Is(err, unix.ENOENT) {
		return nil // the host's root has no such file; resolve has refused it
	}
	if err != nil {
		return err
	}
	if keyed(events, "populated") != "0" {
		if err := d.checkEmpty(); err != nil {
			return err
		}
	}
	if keyed(events, "frozen") != "0" {
		return fmt.Errorf("%w: %s", ErrFrozen, d.path)
	}
	return nil
}

func (d dir) checkEmpty() error {
	pids, err := d.allPids()
	if err != nil {
		return err
	}
	if len(pids) > 0 {
		return fmt.Errorf("%w: %d process(es) found in %s", ErrNotEmpty, len(pids), d.path)
	}
	return nil
}

// fillCpuset sets the CPUs and memory nodes of a v1 cpuset, and of those above it, to
// the parent's where there are none: a process cannot enter a cpuset that has none.
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
