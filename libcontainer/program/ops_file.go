// SPDX-License-Identifier: Apache-2.0

package program

import (
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// Mknod makes a device node or a FIFO, or takes the one that is there.
type Mknod struct {
	Root         Slot
	Path         string
	Mode         uint32
	Major, Minor uint32
	UID, GID     uint32 // its owner
	Bind         Slot   // node to bind if mknod(2) is refused
	Own          bool   // Bind is the container's own node, not the host's
	Host         bool   // if mknod(2) is refused, bind the host's node at Path
	As           string // path in Root, if it is not Path
}

// Symlink makes a symlink. Without an option, an existing file stays.
type Symlink struct {
	Root         Slot
	Target, Path string
	Replace      bool // replace an existing file
	Same         bool // an existing file must be the same symlink
}

// MakeConsole opens a pseudoterminal and sends its master to the runtime.
type MakeConsole struct {
	Root          Slot
	Rows, Columns uint16
	Bind          bool // bind it on /dev/console
}

// DevNull replaces standard streams that are the host's /dev/null by the container's own.
type DevNull struct{ Root Slot }

func (o Mknod) code() code {
	c := code{
		kind: kindMknod, a: o.Bind, b: o.Root, s: []string{o.Path}, flags: when(o.Host, mknodHost) | when(o.Own, mknodOwn),
		n: [3]uint64{uint64(o.Mode), uint64(o.Major)<<32 | uint64(o.Minor), uint64(o.UID)<<32 | uint64(o.GID)},
	}
	if o.As != "" {
		c.s = append(c.s, o.As)
	}
	return c
}

func (o Symlink) code() code {
	return code{kind: kindSymlink, b: o.Root, s: []string{o.Target, o.Path}, flags: when(o.Replace, symlinkReplace) | when(o.Same, symlinkSame)}
}

func (o MakeConsole) code() code {
	return code{kind: kindConsole, b: o.Root, n: [3]uint64{uint64(o.Rows)<<16 | uint64(o.Columns)}, flags: when(o.Bind, consoleBind)}
}

func (o DevNull) code() code { return code{kind: kindDevNull, b: o.Root} }

func (o Mknod) what() string     { return "create the device " + o.Path }
func (o Symlink) what() string   { return "link " + o.Path + " to " + o.Target }
func (MakeConsole) what() string { return "create the terminal" }
func (DevNull) what() string     { return "open the container's /dev/null" }

func (Mknod) hint(f wire.Message) string {
	switch f.Errno {
	case unix.ENOENT:
		return " (devices cannot be created here, so the host's device is used)"
	case unix.EPERM:
		return " (this requires CAP_MKNOD, and permission by the device cgroup that skiff runs in)"
	}
	return ""
}

func (MakeConsole) hint(f wire.Message) string {
	switch f.Errno {
	case unix.ENOENT:
		return " (process.terminal requires a devpts mount on /dev/pts)"
	case unix.ENOSPC:
		return " (the limit on terminals is reached: /proc/sys/kernel/pty/max, or the devpts option max)"
	}
	return ""
}
