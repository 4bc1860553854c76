// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"github.com/skiff-oci/skiff/libcontainer/idmap"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"github.com/skiff-oci/skiff/libcontainer/tune"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// What the runtime itself does when the child sends a message.

// passedOver handles a message that may come at any point, and reports whether m
// is one.
func (b *binding) passedOver(pid int, m wire.Message) bool {
	switch m.Type {
	case wire.Kept:
		b.kept(b.prog.At(m.Index))
	case wire.Trace:
		b.follow.done(pid, b.prog.At(m.Index), m)
	default:
		return false
	}
	return true
}

// kept warns of a read-only flag that the child could not clear.
func (b *binding) kept(e program.Entry) {
	if op, ok := e.Operation.(program.SetAttr); ok {
		b.Warn("%s.options: %s", e.Field, rootfs.StaysReadonly(op.Source))
	}
}

// left describes the operations that create leaves to start.
func (b *binding) left() (steps []program.Step) {
	for i := b.tail; b.Hold && i < len(b.prog.Ops); i++ {
		steps = append(steps, b.prog.Step(i))
	}
	return steps
}

// writeMaps writes the id maps of the child's user namespace, or checks those of one
// that it has joined.
func (b *binding) writeMaps(pid int) error {
	if b.made&unix.CLONE_NEWUSER != 0 {
		return idmap.Write(pid, b.Launch.UserMaps, "linux.")
	}
	return trace.Timed("check the id maps of the child", "", func() error { return idmap.Check(pid, b.Launch.UserMaps) })
}

// limitProcess sets what the child lacks the privileges for: its resource limits and
// its scheduling.
func (b *binding) limitProcess(pid int) error {
	if err := b.limits(pid); err != nil {
		return err
	}
	if b.notifies() {
		return nil
	}
	return b.schedule(pid)
}

// schedule sets the scheduler of the child, if the child does not do it. For one that
// has a listener it is not set earlier than the listener is handed over, since a child
// that spins in real time (load_with_listener in child/src/seccomp.c) would keep a CPU
// to itself.
func (b *binding) schedule(pid int) error {
	if !b.tunes() {
		return nil
	}
	return trace.Timed("set the scheduling of the child", "", func() error { return tune.Apply(pid, &b.Launch.Process) })
}
