// Package systemd makes and stops the units in which systemd keeps a
// container's cgroup: transient scopes and slices, over D-Bus
// (org.freedesktop.systemd1(5)). It knows nothing of the cgroup's files.
//
// The slices that a unit is in are made by systemd, and stay when it is gone, as
// other runtimes leave them: who stops one ends what has been started in it a
// moment ago, and those that systemd itself stops when nothing needs them
// (StopWhenUnneeded) were seen to be lost to it when a start came in between.
//
// systemd answers in its own time, so each call has a deadline, and its error
// names the unit and what was waited for.
package systemd

import (
	"errors"
	"time"
)

// Why a unit is refused; test with errors.Is.
var (
	// ErrExists: a unit of that name is there, and belongs to others.
	ErrExists = errors.New("a systemd unit of this name exists")
	// ErrUnreachable: no systemd answers on any of its sockets.
	ErrUnreachable = errors.New("systemd cannot be reached")
)

// How long systemd may take. While it reloads its units it answers nothing, and
// on a slow machine that was seen to last 18 s.
const (
	callWait = 25 * time.Second // to answer
	jobWait  = 30 * time.Second // to start or stop a unit
)

// Unit is the unit of a container.
type Unit struct {
	Name  string // "skiff-web.scope", or a slice's
	Slice string // the slice that the scope is in; for a slice, that above it
}
