// SPDX-License-Identifier: Apache-2.0

// Package systemd makes and stops the systemd units that have a container's cgroup,
// transient scopes and slices, over D-Bus (org.freedesktop.systemd1(5)). It does not
// access the cgroup's files.
//
// systemd makes the slices that a unit is in. They stay when the unit is gone, as with
// other runtimes: to stop a slice would end units that were started in it a moment ago.
// If systemd itself stops unused slices (StopWhenUnneeded), it was seen to lose track
// of a slice in which a unit was started at that moment.
//
// systemd may be slow, so each call has a deadline, and its error names the unit and
// what was waited for.
package systemd

import (
	"time"

	"github.com/skiff-oci/skiff/libcontainer/fault"
)

// Reasons to refuse a unit; test with errors.Is.
var (
	// ErrExists: there is a unit of that name already, which belongs to somebody else.
	ErrExists = fault.New(fault.UnitExists, "a systemd unit with this name already exists")
	// ErrUnreachable: systemd answers on none of its sockets.
	ErrUnreachable = fault.New(fault.NoSystemd, "systemd cannot be reached")
)

// How long to wait for systemd. It does not answer while it reloads its units, which
// was seen to take 18 s on a slow machine.
const (
	callWait = 25 * time.Second // for an answer
	jobWait  = 30 * time.Second // for the end of a job that starts or stops a unit
)

// Unit is the systemd unit of a container.
type Unit struct {
	Name  string // "skiff-web.scope" or "skiff-web.slice"
	Slice string // the slice that the unit is in
}
