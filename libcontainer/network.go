// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/skiff-oci/skiff/libcontainer/netdev"
	"github.com/skiff-oci/skiff/libcontainer/netns"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/undo"
	"golang.org/x/sys/unix"
)

// moveDevices moves the container's network devices into the network namespace of the
// process pid.
func (c *Container) moveDevices(l *plan.Launch, pid int, u *undo.Stack) error {
	if len(l.NetDevices) == 0 {
		return nil
	}
	m, err := netdev.Prepare(l.NetDevices, sys.ProcPath(pid, "ns/net"))
	if err != nil {
		return err
	}
	// m keeps the namespace alive until the container is finished: if the process is
	// killed, a new namespace would disappear together with the devices.
	c.net = m
	u.Push(func() error {
		defer m.Close()
		return m.Undo()
	})
	if err := c.recordDevices(l, m.Devices); err != nil {
		return err
	}
	return m.Do()
}

// recordDevices records the move in case this runtime is killed, if the namespace has a
// path and so exists without the container. It also prepares the next record, without
// the devices: once the container is finished, they stay in the namespace
// (config-linux.md, "Namespace Lifecycle and Container Termination").
func (c *Container) recordDevices(l *plan.Launch, devices []netdev.Device) error {
	r := *c.record
	for _, n := range l.Namespaces {
		if n.Flag == unix.CLONE_NEWNET {
			r.Network.Namespace = n.Path
		}
	}
	if r.Network.Namespace == "" {
		return nil
	}
	r.Pid, r.StartTime, r.Inode, r.Network.Devices = 0, 0, 0, devices
	if err := c.entry.Write(&r); err != nil {
		return err
	}
	return c.entry.Prepare(c.record)
}

// networkAhead begins to make the container's network namespace while the rest is
// prepared, if that can be done and there is a CPU for it. The result is nil otherwise.
func networkAhead(l *plan.Launch) *netns.Namespace {
	if !ownsNetwork(l) || !netns.Worthwhile() {
		return nil
	}
	return netns.Begin()
}

// ownsNetwork reports whether the container has a new network namespace that belongs to
// the user namespace which the runtime and the container share, and the child can be given
// it: one that has to fork, to be in a pid namespace that it joins, makes its own.
func ownsNetwork(l *plan.Launch) bool {
	made := false
	for _, n := range l.Namespaces {
		if n.Flag == unix.CLONE_NEWUSER || n.Flag == unix.CLONE_NEWPID && n.Path != "" {
			return false
		}
		made = made || n.Flag == unix.CLONE_NEWNET && n.Path == ""
	}
	return made
}

// recoverDevices moves back the devices that a killed runtime has moved.
func (c *Container) recoverDevices() error {
	if len(c.record.Network.Devices) == 0 {
		return nil
	}
	return netdev.Recover(c.record.Network.Devices, c.record.Network.Namespace)
}
