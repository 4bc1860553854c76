// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/idmap"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// A cgroup may be delegated to the container (crun's annotation
// run.oci.delegate-cgroup). The container's cgroup has the limits and is the root of
// its cgroup namespace; the delegated one is below it, and the container manages it.

const delegateField = `annotations["run.oci.delegate-cgroup"]`

func delegable(l *plan.Launch, g *cgroup.Group) error {
	if l.Cgroup.Delegate == "" {
		return nil
	}
	if err := g.Delegable(); err != nil {
		return &cgroup.FieldError{Field: delegateField, Err: err}
	}
	return nil
}

// delegate moves the container's first process, whose namespaces exist by now, into the
// delegated cgroup.
func delegate(l *plan.Launch, g *cgroup.Group, pid int) error {
	if l.Cgroup.Delegate == "" {
		return nil
	}
	if err := g.Delegate(l.Cgroup.Delegate, delegateOwner(l), pid); err != nil {
		return &cgroup.FieldError{Field: delegateField, Err: err}
	}
	return nil
}

// delegateOwner returns the host uid of the owner of the delegated cgroup: the owner of
// the container's cgroup if it has one, or else the container's root.
func delegateOwner(l *plan.Launch) int {
	if owner := cgroupOwner(l); owner != nil {
		return *owner
	}
	if namespaceFlags(l)&unix.CLONE_NEWUSER == 0 {
		return 0
	}
	uid, _ := proc.HostID(l.UserMaps.UID, idmap.Root(l.UserMaps.UID))
	return int(uid)
}
