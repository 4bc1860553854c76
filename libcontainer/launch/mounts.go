// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/skiff-oci/skiff/libcontainer/cred"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// Mounts is a change to the mounts of a running container.
type Mounts struct {
	Launch     *plan.Launch // its Namespaces are the container's, by path
	CgroupView rootfs.CgroupView
	Scratch    string                           // directory for a file without a name
	Warn       func(format string, args ...any) // as in [Request]

	// Made is called when all mounts are made and none is attached yet, with the
	// JSON path of each. It takes over the files.
	Made func(mounts []*os.File, fields []string) error
}

// Add makes the mounts of the launch's rootfs and attaches them in the container.
// After an error, some of them may be attached.
func (r *Mounts) Add() error {
	err := r.add(false)
	if errors.Is(err, unix.EPERM) && sys.InUserNamespace() && cred.Granted()>>unix.CAP_SYS_ADMIN&1 != 0 {
		return r.add(true) // root in a user namespace that does not own this mount namespace
	}
	return err
}

func (r *Mounts) add(byChild bool) error {
	b := r.binding(byChild)
	b.joinMounts()
	tree, err := rootfs.Added(r.Launch.Rootfs, rootfs.Setting{
		NewMounts: true, UserNS: b.userns, Inside: b.inside, ByChild: b.byChild, Cgroup: r.CgroupView, Host: b.facts.Files,
	}, b.prog)
	if err != nil {
		return err
	}
	b.tree = tree
	b.addMounts()
	files, err := b.openJoins()
	if err == nil {
		var more []*os.File
		more, err = tree.Open(b.mappedNamespace, b.Warn)
		b.closeMaps()
		files = append(files, more...)
	}
	if err != nil {
		b.closeAll(files)
		return err
	}
	var made []*os.File
	return b.carryOut(files, func(m wire.Message) error {
		made = append(made, m.File)
		if fields := tree.Fields(); len(made) == len(fields) {
			return r.Made(made, fields)
		}
		return nil
	})
}

// binding returns the binding of a child that does not start a program.
func (r *Mounts) binding(byChild bool) *binding {
	b := &binding{Request: &Request{Launch: r.Launch, Scratch: r.Scratch, Warn: r.Warn}, facts: Probe(), prog: new(program.Program)}
	b.userns, b.inside = b.InUserNamespace(), b.facts.InUserNamespace
	b.byChild = byChild || !b.privileged()
	return b
}

// joinMounts reserves slots for the container's namespaces. The pid namespace is
// joined only for a new proc: the container's processes can see a process in it.
func (b *binding) joinMounts() {
	proc := slices.ContainsFunc(b.Launch.Rootfs.Mounts, func(m plan.Mount) bool { return m.Type == "proc" && !m.Bind })
	for _, n := range b.Launch.Namespaces {
		if n.Flag != unix.CLONE_NEWPID || proc {
			b.joins = append(b.joins, join{n, b.prog.Inherit(1)})
		}
	}
	b.prog.Inherit(0)
}

// enter joins the container's namespaces of the types in flags.
func (b *binding) enter(flags uint64) {
	for _, n := range b.joins {
		if n.Flag&flags != 0 {
			b.prog.Add("", program.Setns{To: n.slot, Namespaces: n.Flag})
		}
	}
}

// addMounts defines the order of operations that add mounts to a container. With a
// user namespace, the sources come from a mount namespace that is a copy of the
// runtime's, which locks their flags, as when the container is created.
func (b *binding) addMounts() {
	p := b.prog
	p.Add("", program.NoDump{})
	if b.userns {
		b.tree.Approach(p)
		b.dropGroups()
		b.enter(unix.CLONE_NEWUSER)
	}
	if b.userns || b.byChild {
		b.unshare(unix.CLONE_NEWNS)
		b.tree.Clone(p)
	}
	if b.userns {
		b.becomeRoot()
	}
	b.enter(^uint64(unix.CLONE_NEWUSER | unix.CLONE_NEWNS))
	if slices.ContainsFunc(b.joins, func(j join) bool { return j.Flag == unix.CLONE_NEWPID }) {
		b.forks = true
		p.Add("", program.Fork{})
	}
	b.tree.MakeNew(p)
	b.tree.Each(func(mount program.Slot) {
		p.Add("", program.Sync{Message: wire.Mount, File: mount})
	})
	b.enter(unix.CLONE_NEWNS)
	b.tree.AttachAll(p)
	p.Add("", program.Sync{Message: wire.Ready})
}

// Unmount is one mount to remove from a container.
type Unmount struct {
	Mount *os.File
	Field string // JSON path
	Point string // for messages
}

// Remove unmounts the mounts that the descriptors refer to, one after another. With
// lenient, it is not an error if one is not attached.
func (r *Mounts) Remove(mounts []Unmount, lenient bool) error {
	b := r.binding(false)
	for _, n := range r.Launch.Namespaces {
		if n.Flag&(unix.CLONE_NEWUSER|unix.CLONE_NEWNS) != 0 {
			b.joins = append(b.joins, join{n, b.prog.Inherit(1)})
		}
	}
	p, proc, first := b.prog, b.prog.Inherit(1), b.prog.Inherit(len(mounts))
	p.Add("", program.NoDump{})
	if b.userns {
		b.dropGroups()
	}
	b.enter(unix.CLONE_NEWUSER)
	b.enter(unix.CLONE_NEWNS)
	for i, m := range mounts {
		p.Add(m.Field, program.Unmount{Mount: first + program.Slot(i), Proc: proc, Path: m.Point, Try: lenient})
	}
	p.Add("", program.Sync{Message: wire.Ready})
	files, err := b.openJoins()
	if err != nil {
		return err
	}
	f, err := sys.OpenPath("/proc", unix.O_DIRECTORY)
	if err != nil {
		b.closeAll(files)
		return err
	}
	files = append(files, f)
	for _, m := range mounts {
		if f, err = sys.Dup(m.Mount); err != nil {
			b.closeAll(files)
			return err
		}
		files = append(files, f)
	}
	return b.carryOut(files, nil)
}

func (b *binding) openJoins() (files []*os.File, err error) {
	for _, n := range b.joins {
		f, err := sys.OpenNamespace(n.Path)
		if errors.Is(err, unix.EACCES) {
			err = fault.Hint(fmt.Errorf("join the container's namespaces: %w", err), "an ordinary user can join the namespaces of a container that has been started")
		}
		if err != nil {
			b.closeAll(files)
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// carryOut runs a program that ends with Ready, and calls made for each mount.
func (b *binding) carryOut(files []*os.File, made func(wire.Message) error) (err error) {
	s, err := b.spawn(files)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.kill()) }()
	defer s.conn.Close()
	for script := b.prog.Script(); len(script) > 0; {
		m, err := s.next(script[0])
		if err != nil {
			return s.died(err)
		}
		if b.passedOver(s.pid, m) {
			continue
		}
		if script, err = wire.Accept(script, m); err != nil {
			return err
		}
		switch m.Type {
		case wire.Failed:
			e := b.prog.At(m.Index)
			return b.follow.failed(s.pid, m.Index, e, describe(e, m))
		case wire.Forked:
			err = s.forked(int(m.Value))
		case wire.Mount:
			err = made(m)
		case wire.Ready:
			return nil // the child has nothing left to do
		}
		if err == nil {
			err = s.conn.Answer(m.Type, int64(s.pid))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
