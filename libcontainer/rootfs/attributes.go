// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"golang.org/x/sys/unix"
)

// attr is one mount_setattr call.
type attr struct {
	unix.MountAttr
	recursive bool
	try       bool // a refusal is not an error
}

// operation returns the operation that makes the call.
func (a *attr) operation(m *mount, src program.Slot) program.SetAttr {
	op := program.SetAttr{
		Mount: src, Attributes: program.Attributes{Set: a.Attr_set, Clear: a.Attr_clr, Propagation: a.Propagation},
		Tree: a.recursive, Try: a.try, Keep: a.makesWritable(), Source: m.Source, On: m.Destination, Because: m,
	}
	if clr := a.Attr_clr; clr != 0 {
		if op.Keep {
			clr &^= unix.MOUNT_ATTR_RDONLY
		}
		op.Clears = clearing(clr)
	}
	return op
}

// makesWritable reports whether the call clears the read-only flag of a bind. It is
// not an error if that flag is locked, since engines add rw themselves.
func (a *attr) makesWritable() bool {
	return !a.recursive && !a.try && a.Attr_clr&unix.MOUNT_ATTR_RDONLY != 0
}

// attributes returns the calls that give the clone of a source its flags: first its
// propagation, so that it is no longer a peer of the host's mount, then what the
// options say. On a stage the options' propagation is set later.
func (d *decisions) attributes(m *mount) []attr {
	var as []attr
	var has uint64 // the propagation that all of the clone is known to have
	if m.way == find {
		has = unix.MS_SLAVE // or private, if there is no master: see S3
	}
	base, own := d.base, m.Propagation // P3
	if m.name != "" {
		own = nil
	}
	if cutsOff(m, own) {
		base = own[0] &^ unix.MS_REC // P2
	}
	if !d.keepsPeers && has != base { // P1
		has = base
		as = append(as, attr{MountAttr: unix.MountAttr{Propagation: has}, recursive: m.Recursive})
	}
	clr, try := d.loses(&m.Mount)
	clr |= m.AttrClear
	if m.AttrSet|clr != 0 {
		if a := len(as) - 1; a >= 0 && !m.Recursive {
			as[a].Attr_set, as[a].Attr_clr = m.AttrSet, clr
		} else {
			as = append(as, attr{MountAttr: unix.MountAttr{Attr_set: m.AttrSet, Attr_clr: clr}})
		}
	}
	if try != 0 {
		as = append(as, attr{MountAttr: unix.MountAttr{Attr_clr: try}, try: true})
	}
	if m.RecAttrSet|m.RecAttrClear != 0 {
		as = append(as, attr{MountAttr: unix.MountAttr{Attr_set: m.RecAttrSet, Attr_clr: m.RecAttrClear}, recursive: true})
	}
	for _, n := range own {
		kind, recursive := n&^unix.MS_REC, n&unix.MS_REC != 0
		if kind == has {
			continue
		}
		as = append(as, attr{MountAttr: unix.MountAttr{Propagation: kind}, recursive: recursive})
		has = 0
	}
	return as
}

// loses decides which flags of its source a bind loses because no option names them:
// clr has those to clear, try those to clear if they are not locked. A container with
// a user namespace finds its source's flags locked, and keeps them even where the
// runtime could clear them; nosymfollow is never locked. If the runtime itself is in
// a user namespace, flags are locked on mounts that come from outside.
func (d *decisions) loses(m *plan.Mount) (clr, try uint64) {
	switch {
	case d.UserNS || d.ByChild:
		return m.AttrUnnamed & unix.MOUNT_ATTR_NOSYMFOLLOW, 0 // U1
	case d.Inside:
		return 0, m.AttrUnnamed // U2
	}
	return m.AttrUnnamed, 0 // U3
}

// cutsOff reports whether the first propagation that the options name takes the
// clone out of its peer group, as the base propagation does.
func cutsOff(m *mount, own []uint64) bool {
	return len(own) > 0 && own[0]&(unix.MS_PRIVATE|unix.MS_UNBINDABLE) != 0 && (own[0]&unix.MS_REC != 0 || !m.Recursive)
}
