// SPDX-License-Identifier: Apache-2.0

package store

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/netdev"
)

// Record is what is known about a container.
type Record struct {
	Writer string // version of the skiff that wrote it; empty if that did not say

	OCIVersion  string
	ID          string
	Bundle      string
	Rootfs      string
	Created     time.Time
	Annotations map[string]string

	// The first process; all are zero while the container is being made.
	Pid       int
	StartTime uint64 // clock ticks after boot, /proc/PID/stat; 0 where that is hidden
	Inode     uint64 // of its pidfd, which no other process gets until the next boot; 0 before Linux 6.9
	BootID    string // since a pid means nothing after a reboot; empty if /proc does not have it

	Namespaces uint64            // CLONE_NEW* flags of the namespaces that an exec joins
	Cgroups    map[string]string // directory by controller; "" is cgroup v2
	Unit       Unit
	Under      uint64 // without a mount namespace: id of the mount that is covered by the container's root
	RDT        RDT
	Network    Network
	Mounts     []Mount // those added to the running container, in order
	Hooks      bool    // the configuration has poststart or poststop hooks
	NoKeyring  bool    // its processes keep the session keyring of their starter
	Tail       []Step  // what start still has to do, for its error messages
	First      int     // index of Tail[0] in the program

	unknown []string // lines with keys of a newer version of skiff, unchanged
}

// Unit is the systemd unit that has the container's cgroup.
type Unit struct {
	Name string // empty if there is none
	User bool   // it belongs to the user's systemd
}

// RDT is what the container has in resctrl.
type RDT struct {
	Class   string // directory of the class of service, for exec; empty if there is none
	Monitor string // directory of the monitoring group, which is removed with the container; may be empty
	Remove  bool   // the class is removed with the container, too
}

// Network is a move of network devices that is not finished.
type Network struct {
	Namespace string // path of the network namespace that they are moved to, if it has one
	Devices   []netdev.Device
}

// Mount is a mount that was added to a running container.
type Mount struct {
	ID          uint64 // of the mount, see sys.LastingMountID
	Destination string // clean
}

// Step is what an error message needs to know about an operation that create has left
// to start.
type Step struct {
	Op    string   // its name, as in listings
	Field string   // JSON path of the config field that asked for it; may be empty
	Words []string // what it acts on: one string, or none
}

// The record's form: a line with the version of the form, one line per value, which
// begins with a key, a line that marks the end, and one with a checksum (sum.go).
// Strings are quoted as in Go. It is not JSON, because every command reads it, and
// encoding/json takes longer to initialize than the rest of most commands.
//
// Other versions of skiff read the record, so all versions keep these rules:
//
//   - What an older version may ignore gets a new key, and is never one more value of
//     an existing key. Lines with unknown keys are kept unchanged, and written again
//     after all others: the position of a new key's line has no meaning.
//   - What it may not ignore needs a new version of the form. Later forms keep the
//     first line, the key "writer" and the last two lines, so that any version can tell
//     a newer form from damage, and say who wrote it. In all forms id, pid, cgroup and
//     unit mean the same, so that any version can end the container.
//   - A number that only this program defines, such as the kind of an operation, is
//     stored as a word. Numbers of the kernel (namespaces, mounts) are stored as they are.
//
// A facility with several values has them in one line and in one struct. They are not
// an opaque string of the facility's, because the store compares them when a record is
// damaged (salvage.go).
//
// What older versions wrote, and how it is read, is in old.go.
const (
	header  = "skiff state "
	version = 2
	last    = "end"
)

func (r *Record) encode() []byte { return r.encodeInto(nil) }

// encodeInto is encode that uses the memory of b if that is large enough.
func (r *Record) encodeInto(b []byte) []byte {
	size := 2048
	for k, v := range r.Annotations { // nothing else is long
		size += len(k) + len(v) + 32
	}
	b = slices.Grow(b[:0], size)
	b = strconv.AppendInt(append(b, header...), version, 10)
	text := func(key string, values ...string) {
		b = append(append(b, '\n'), key...)
		for _, v := range values {
			b = quote(append(b, ' '), v)
		}
	}
	number := func(key string, v uint64) {
		if v != 0 {
			b = append(append(b, '\n'), key...)
			b = strconv.AppendUint(append(b, ' '), v, 10)
		}
	}
	if r.Writer != "" {
		text("writer", r.Writer)
	}
	text("ociVersion", r.OCIVersion)
	text("id", r.ID)
	text("bundle", r.Bundle)
	text("rootfs", r.Rootfs)
	text("created", r.Created.Format(time.RFC3339Nano))
	for _, k := range slices.Sorted(maps.Keys(r.Annotations)) {
		text("annotation", k, r.Annotations[k])
	}
	number("pid", uint64(r.Pid))
	number("startTime", r.StartTime)
	number("inode", r.Inode)
	text("bootID", r.BootID)
	number("namespaces", r.Namespaces)
	for _, k := range slices.Sorted(maps.Keys(r.Cgroups)) {
		text("cgroup", k, r.Cgroups[k])
	}
	if r.Unit != (Unit{}) {
		text("unit", r.Unit.Name, strconv.FormatBool(r.Unit.User))
	}
	number("under", r.Under)
	if r.RDT != (RDT{}) {
		text("rdt", r.RDT.Class, r.RDT.Monitor, strconv.FormatBool(r.RDT.Remove))
	}
	if r.Network.Namespace != "" {
		text("netns", r.Network.Namespace)
	}
	for i := range r.Network.Devices {
		d := &r.Network.Devices[i]
		text("netdev", append([]string{d.Name, index(d.Index), strconv.FormatBool(d.Up), d.NewName, index(d.NewIndex), index(d.Master)}, d.Addresses...)...)
		if len(d.Routes) > 0 {
			text("netroutes", d.Routes...)
		}
	}
	for _, m := range r.Mounts {
		text("mount", strconv.FormatUint(m.ID, 10), m.Destination)
	}
	if r.Hooks {
		number("hooks", 1)
	}
	if r.NoKeyring {
		number("noKeyring", 1)
	}
	number("first", uint64(r.First))
	for i := range r.Tail {
		s := &r.Tail[i]
		text("tail", append([]string{s.Op, s.Field}, s.Words...)...)
	}
	for _, line := range r.unknown {
		b = append(append(b, '\n'), line...)
	}
	text(last)
	return seal(append(b, '\n'))
}

func index(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
