// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// delegate gives the cgroup's directory, and those files of it that the kernel lists
// for delegation, to the container's user.
func (g *Group) delegate(d dir) error {
	if g.owner == nil || *g.owner == os.Geteuid() {
		return nil // new files belong to the caller already
	}
	if g.rootless {
		return nil // an ordinary user may not chown to others
	}
	return d.handTo(*g.owner)
}

// handTo makes a user the owner of the directory and of the files in it that are needed
// to manage cgroups.
func (d dir) handTo(owner int) (err error) {
	if m := trace.Begin(); m.On() {
		defer func() { m.Done(err, "give to user", fmt.Sprintf("%d: %s", owner, d.path)) }()
	}
	if err := unix.Fchownat(d.fd, "", owner, -1, unix.AT_EMPTY_PATH); err != nil {
		return &os.PathError{Op: "chown", Path: d.path, Err: err}
	}
	for _, name := range delegatedFiles() {
		err := unix.Fchownat(d.fd, name, owner, -1, unix.AT_SYMLINK_NOFOLLOW)
		if err != nil && err != unix.ENOENT { // files of controllers that are not enabled
			return &os.PathError{Op: "chown", Path: d.path + "/" + name, Err: err}
		}
	}
	return nil
}

// delegatedFiles lists the files to give to the owner: /sys/kernel/cgroup/delegate (Linux
// 4.15), or the specification's list.
func delegatedFiles() []string {
	list, err := sys.ReadText("/sys/kernel/cgroup/delegate")
	if err != nil {
		return []string{"cgroup.procs", "cgroup.subtree_control", "cgroup.threads"}
	}
	return slices.DeleteFunc(strings.Fields(list), func(s string) bool { return strings.Contains(s, "/") })
}

// Delegable returns an error if the container cannot be given a cgroup below the
// group's to manage: that is safe with cgroup v2 only.
func (g *Group) Delegable() error {
	switch {
	case g.Empty():
		return g.none()
	case g.Legacy():
		return fault.New(fault.NotSupported, "requires a host with cgroup v2 only")
	}
	return nil
}

// Delegate makes the cgroup sub below the group's, gives it to the host uid owner,
// moves process pid there, and enables all of the group's controllers for it.
func (g *Group) Delegate(sub string, owner, pid int) error {
	top := g.unified().path
	p := path.Join(top, sub)
	if _, err := mkdirAllMode(p); err != nil {
		return err
	}
	if err := g.prepareDelegated(top, p, owner); err != nil {
		return err
	}
	to := member{names: []string{""}, path: p}
	if err := to.write("cgroup.procs", strconv.Itoa(pid)); err != nil {
		return err
	}
	for q := range above(top, p) {
		if err := passOn(q); err != nil {
			return err
		}
	}
	return g.prepareDelegated(top, p, owner) // the controllers have brought new files
}

// prepareDelegated makes the cgroups from below top down to p usable for processes, and
// gives them to the owner.
func (g *Group) prepareDelegated(top, p string, owner int) error {
	for q := p; q != top; q = path.Dir(q) {
		d, err := openDir(q)
		if err != nil {
			return err
		}
		_, err = g.makeThreaded(d)
		if err == nil && owner != os.Geteuid() && !g.rootless {
			err = d.handTo(owner)
		}
		d.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// passOn enables all controllers of the cgroup at p for the cgroups below it, as far as
// the kernel allows it.
func passOn(p string) error {
	d, err := openDir(p)
	if err != nil {
		return err
	}
	defer d.close()
	have, err := d.read("cgroup.controllers")
	all := strings.Fields(have)
	if err != nil || len(all) == 0 || enableIn(d, all) == nil {
		return err
	}
	for _, c := range all {
		_ = enableIn(d, []string{c})
	}
	return nil
}

// Descend makes the group's cgroup below that of a systemd unit, and moves process pid
// there, unless it is 0. unit is the path of the unit's cgroup below the mount; if that
// is the group's, Descend does nothing.
func (g *Group) Descend(unit string, pid int) error {
	m := g.unified()
	if m.path == path.Join(m.mount, unit) {
		return nil
	}
	if _, err := mkdirAllMode(m.path); err != nil {
		return asPathError(err)
	}
	if pid == 0 {
		return nil
	}
	if err := m.write("cgroup.procs", strconv.Itoa(pid)); err != nil {
		return asPathError(err)
	}
	return nil
}
