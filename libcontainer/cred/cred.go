// SPDX-License-Identifier: Apache-2.0

// Package cred makes the operations that change the child from root to the user of
// config.json: groups, ids, capabilities.
//
// The kernel dictates the order: to drop capabilities from the bounding set, and to
// change groups and ids, takes capabilities; and a change of the user id away from 0
// clears them unless PR_SET_KEEPCAPS is set (capabilities(7)).
package cred

import (
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"golang.org/x/sys/unix"
)

// Become adds the change of user. Afterwards the child has the capabilities of the
// process and those in spare, which a later operation needs; [Finish] removes the
// spare ones. Capabilities that are not in granted cannot be given and are left out
// (config.md, "Linux Process", asks for a warning, not an error).
//
// With userns, setgroups(2) may be denied, as it can be in a user namespace
// (user_namespaces(7)): that is not an error if the process has no groups.
func Become(p *program.Program, proc *plan.Process, granted, spare uint64, userns bool) {
	caps := within(proc.Caps, granted)
	if proc.Caps.Bounding != ^uint64(0) {
		p.Add(field(proc, "capabilities.bounding"), program.Bounding{Keep: proc.Caps.Bounding})
	}
	if proc.UID != 0 {
		p.Add("", program.KeepCaps{})
	}
	if !proc.KeepGroups {
		p.Add(field(proc, "user.additionalGids"), program.Groups{GIDs: proc.Groups, Try: userns})
	}
	p.Add("", program.Stdio{UID: proc.UID})
	p.Add(field(proc, "user"), program.SetID{UID: proc.UID, GID: proc.GID})
	set(p, proc, caps, spare&granted)
	if caps.Ambient != 0 {
		p.Add(field(proc, "capabilities.ambient"), program.Ambient{Caps: caps.Ambient, Name: plan.CapabilityName})
	}
}

// Finish adds the removal of the spare capabilities, if there are any.
func Finish(p *program.Program, proc *plan.Process, granted, spare uint64) {
	caps := within(proc.Caps, granted)
	if spare&granted&^(caps.Effective&caps.Permitted) != 0 {
		set(p, proc, caps, 0)
	}
}

func set(p *program.Program, proc *plan.Process, caps plan.Caps, spare uint64) {
	p.Add(field(proc, "capabilities"), program.Caps{Effective: caps.Effective | spare, Permitted: caps.Permitted | spare, Inheritable: caps.Inheritable})
}

// within removes the capabilities that cannot be granted, and those that would make
// the kernel refuse the rest: effective and ambient ones must be permitted.
func within(c plan.Caps, granted uint64) plan.Caps {
	c.Permitted &= granted
	c.Inheritable &= granted
	c.Effective &= c.Permitted
	c.Ambient &= c.Permitted & c.Inheritable
	return c
}

// Withheld returns the capabilities that the process asks for and does not get.
func Withheld(proc *plan.Process, granted uint64) uint64 {
	c := proc.Caps
	return (c.Effective | c.Permitted | c.Inheritable | c.Ambient) &^ granted
}

// All is the mask of all capabilities (Linux 5.9 to 6.18 have 41).
const All = 1<<(unix.CAP_LAST_CAP+1) - 1

// Granted returns the capabilities that this runtime can give, which are its own
// permitted ones (capget(2)).
func Granted() uint64 {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return 0 // no supported kernel refuses it
	}
	return uint64(data[1].Permitted)<<32 | uint64(data[0].Permitted)
}

func field(p *plan.Process, name string) string { return plan.Under(p.Field, name) }
