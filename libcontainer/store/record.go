package store

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/netdev"
)

// Record is what is known of a container.
type Record struct {
	Writer string // version of the skiff that wrote it; empty of one that did not say

	OCIVersion  string
	ID          string
	Bundle      string
	Rootfs      string
	Created     time.Time
	Annotations map[string]string

	// The first process; all zero while the container is being made.
	Pid       int
	StartTime uint64 // clock ticks after boot, /proc/PID/stat; 0 where that is hidden
	Inode     uint64 // of a pidfd, which no other process has until the next boot; 0 before Linux 6.9
	BootID    string // a pid means nothing after a reboot; empty where /proc does not say

	Namespaces uint64            // CLONE_NEW* flags of what an exec joins
	Cgroups    map[string]string // directory by controller; "" is cgroup v2
	Unit       Unit
	Under      uint64 // without a mount namespace: id of the mount that the container's root covers
	RDT        RDT
	Network    Network
	Mounts     []Mount // those that have been added since it was made, in order
	Hooks      bool    // the configuration has poststart or poststop hooks
	NoKeyring  bool    // its processes keep the session keyring of who starts them
	Tail       []Step  // what is left to do at start, for its errors
	First      int     // index of the first of these in the program

	unknown []string // lines with keys of a newer version of skiff, as they are
}

// Unit is systemd's unit with the container's cgroup.
type Unit struct {
	Name string // empty: there is none
	User bool   // it is of the user's systemd
}

// RDT is what the container has in resctrl.
type RDT struct {
	Class   string // directory of the class of service, for exec; empty without
	Monitor string // directory of the monitoring group, which is removed with the container
	Remove  bool   // so is the class
}

// Network is a move of network devices that has not ended.
type Network struct {
	Namespace string // path of the network namespace that they go to, if it has one
	Devices   []netdev.Device
}

// Mount is one that was added to a container.
type Mount struct {
	ID          uint64 // of the mount, see sys.LastingMountID
	Destination string // clean
}

// Step is an operation that create has left to start, as far as an error message
// needs to know it.
type Step struct {
	Op    string   // its name in listings
	Field string   // JSON path of the config field that asked for it; may be empty
	Words []string // what it is about: one string, or none
}

// The record's form: a line with its version, then a line for each value, with
// a key before it, then a line that says that the record is whole, and one with
// a checksum (sum.go); strings are quoted as in Go. It is no JSON, because every
// command reads it, and encoding/json takes longer to get ready than the rest of
// most commands.
//
// Other versions of skiff read it, so these rules hold for all of them:
//
//   - What an older version may ignore is a new key, never one more value of a
//     key that there is. Lines with unknown keys are kept as they are, and written
//     again after all others: the place of a new key's line means nothing.
//   - What it may not ignore is a new version of the form. All forms have the first
//     line, the key "writer", and the two last lines, so that any version can tell a
//     newer form from damage, and say who wrote it; and id, pid, cgroup and unit
//     mean the same in all, so that any version can end the container.
//   - What is a number in this program alone, such as the kind of an operation, is
//     kept as a word. Numbers of the kernel's (namespaces, mounts) are kept as they are.
//
// A facility that has more than one value has them in one line, and in a struct of
// its own. They are no text that the facility alone can read, since the store weighs
// them when a record is damaged (salvage.go).
//
// What older versions have written, and how it is read, is in old.go.
const (
	header  = "skiff state "
	version = 2
	last    = "end"
)

func (r *Record) encode() []byte {
	b := make([]byte, 0, 2048)
	b = strconv.AppendInt(append(b, header...), version, 10)
	text := func(key string, values ...string) {
		b = append(append(b, '\n'), key...)
		for _, v := range values {
			b = strconv.AppendQuote(append(b, ' '), v)
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
