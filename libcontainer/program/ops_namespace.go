// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// NoDump denies others access to the child's files in /proc/PID, and tracing it
// (prctl(2), PR_SET_DUMPABLE 0).
type NoDump struct{}

// Unshare makes new namespaces.
type Unshare struct{ Namespaces uint64 } // CLONE_NEW*

// Setns joins namespaces.
type Setns struct {
	To         Slot   // a namespace, or the pidfd of a process
	Namespaces uint64 // CLONE_NEW*
}

// TimeNS sets the clock offsets of the new time namespace, and enters it.
type TimeNS struct{ Offsets string } // in the format of /proc/PID/timens_offsets, one per line; may be empty

// Fork continues the program in a new process, and tells the runtime its pid.
type Fork struct{}

// Sync sends the runtime a message and waits for the answer.
type Sync struct {
	Message wire.Type
	File    Slot // descriptor to send along; NoSlot: none
	Ends    bool // from then on, a signal whose default action is to terminate ends the child
	Early   bool // the child does not wait: a later Await does
}

// Await waits for a message from the runtime.
type Await struct{ Message wire.Type }

// Setsid makes a new session (setsid(2)).
type Setsid struct{}

// Keyring creates or joins a session keyring.
type Keyring struct {
	Name  string
	New   bool   // others are to find it by its name, to join it
	Owner uint64 // for messages: uid on the host whose quota the key counts against, or UnknownOwner
}

// UnknownOwner stands for a user whose uid on the host is not known.
const UnknownOwner = ^uint64(0)

// Hostname sets the host name.
type Hostname struct{ Name string }

// Domain sets the NIS domain name.
type Domain struct{ Name string }

// LinkUp brings up a network interface.
type LinkUp struct{ Interface string }

// Network waits for the network namespace that the runtime makes ahead, and joins it. If the
// runtime could not make it, Network makes one and brings up an interface.
type Network struct{ Interface string }

// Write writes to a file of a procfs.
type Write struct {
	Proc        Slot
	Path, Value string
}

// OOMScore sets the child's oom_score_adj.
type OOMScore struct {
	Value string
	Try   bool // a refusal is not an error
}

// Close closes a descriptor.
type Close struct{ File Slot }

// BecomeRoot makes the child the root of its user namespace.
type BecomeRoot struct {
	UID, GID   uint32
	KeepGroups bool // else the supplementary groups are dropped, unless setgroups(2) is denied
}

// Files raises the soft limit on descriptors (RLIMIT_NOFILE) to Count if it is
// lower; 0 restores it.
type Files struct{ Count uint64 }

func (NoDump) code() code { return code{kind: kindNoDump} }
func (o Unshare) code() code {
	return code{kind: kindUnshare, n: [3]uint64{o.Namespaces}}
}
func (o Setns) code() code  { return code{kind: kindSetns, a: o.To, n: [3]uint64{o.Namespaces}} }
func (o TimeNS) code() code { return code{kind: kindTimeNS, s: []string{o.Offsets}} }
func (Fork) code() code     { return code{kind: kindFork} }
func (o Sync) code() code {
	return code{kind: kindSync, a: o.File, n: [3]uint64{uint64(o.Message)}, flags: when(o.Ends, syncEnds) | when(o.Early, syncEarly)}
}
func (o Await) code() code { return code{kind: kindAwait, n: [3]uint64{uint64(o.Message)}} }
func (Setsid) code() code  { return code{kind: kindSetsid} }
func (o Keyring) code() code {
	return code{kind: kindKeyring, s: []string{o.Name}, flags: when(o.New, keyringNew)}
}
func (o Hostname) code() code {
	return code{kind: kindHostname, s: []string{o.Name}}
}
func (o Domain) code() code  { return code{kind: kindDomain, s: []string{o.Name}} }
func (o LinkUp) code() code  { return code{kind: kindLinkUp, s: []string{o.Interface}} }
func (o Network) code() code { return code{kind: kindNetwork, s: []string{o.Interface}} }
func (o Write) code() code   { return code{kind: kindWrite, a: o.Proc, s: []string{o.Path, o.Value}} }
func (o OOMScore) code() code {
	return code{kind: kindOOMScore, s: []string{o.Value}, flags: when(o.Try, optional)}
}
func (o Close) code() code { return code{kind: kindClose, a: o.File} }
func (o BecomeRoot) code() code {
	return code{kind: kindBecomeRoot, n: [3]uint64{uint64(o.UID), uint64(o.GID), uint64(when(!o.KeepGroups, 1))}}
}
func (o Files) code() code { return code{kind: kindFiles, n: [3]uint64{o.Count}} }

func (NoDump) what() string     { return "keep other processes from tracing skiff" }
func (o Unshare) about() string { return plan.NamespaceNames(o.Namespaces) }
func (o Setns) about() string   { return plan.NamespaceNames(o.Namespaces) }
func (o Sync) about() string    { return o.Message.String() }
func (o Await) about() string   { return o.Message.String() }

func (o Unshare) what() string {
	return "create namespaces (" + plan.NamespaceNames(o.Namespaces) + ")"
}
func (o Setns) what() string   { return "join namespaces (" + plan.NamespaceNames(o.Namespaces) + ")" }
func (TimeNS) what() string    { return "enter the new time namespace" }
func (Fork) what() string      { return "start the container's first process in its pid namespace" }
func (Sync) what() string      { return "wait for skiff" }
func (Await) what() string     { return "wait for skiff" }
func (Setsid) what() string    { return "create a session" }
func (o Keyring) what() string { return "join the session keyring " + o.Name }
func (o Hostname) what() string {
	return fmt.Sprintf("set the hostname %q", o.Name)
}
func (o Domain) what() string   { return fmt.Sprintf("set the domain name %q", o.Name) }
func (o LinkUp) what() string   { return "bring up the interface " + o.Interface }
func (Network) what() string    { return Unshare{unix.CLONE_NEWNET}.what() }
func (o Write) what() string    { return fmt.Sprintf("write %q to /proc/%s", o.Value, o.Path) }
func (o OOMScore) what() string { return "set oom_score_adj to " + o.Value }
func (Close) what() string      { return "close a descriptor" }
func (BecomeRoot) what() string { return "become root in the user namespace" }
func (Files) what() string      { return "set RLIMIT_NOFILE" }

func (o Unshare) hint(f wire.Message) string {
	switch f.Errno {
	case unix.ENOSPC:
		return " (" + NamespaceLimits(o.Namespaces) + ")"
	case unix.EPERM:
		return " (this requires CAP_SYS_ADMIN, or a host that lets users create user namespaces)"
	case unix.EUSERS:
		return " (user namespaces cannot be nested more than 32 levels deep)"
	case unix.EINVAL:
		return lacksOne
	}
	return ""
}

const lacksOne = " (the kernel does not support one of these namespaces)"

// NamespaceLimits is the hint that names the limits on namespaces of these types (CLONE_NEW*).
func NamespaceLimits(flags uint64) string {
	var all []string
	for _, n := range plan.NamespacesOf(flags) {
		all = append(all, "max_"+n.File+"_namespaces")
	}
	return "a limit in /proc/sys/user is reached: " + strings.Join(all, " or ")
}

func (o Setns) hint(f wire.Message) string {
	switch {
	case f.Errno == unix.EPERM:
		return " (this requires CAP_SYS_ADMIN in the user namespace that owns the namespace; an ordinary user can join the namespaces of a container that has been started)"
	case f.Errno == unix.ESRCH:
		return " (the container's first process has ended)"
	case f.Errno == unix.EINVAL && o.Namespaces == unix.CLONE_NEWUSER:
		return " (skiff is already in that user namespace: omit it from linux.namespaces)"
	case f.Errno == unix.EINVAL:
		return lacksOne
	}
	return ""
}

func (TimeNS) hint(f wire.Message) string {
	if f.Errno == unix.ERANGE {
		return " (a clock would become negative or exceed the kernel's range)"
	}
	return ""
}

func (Fork) hint(f wire.Message) string {
	if f.Errno == unix.ENOMEM {
		return " (the first process of the pid namespace to join has ended, or memory is exhausted)"
	}
	return ""
}

// The kernel limits the keys of each user (keyrings(7)).
func (o Keyring) hint(f wire.Message) string {
	if f.Errno != unix.EDQUOT {
		return ""
	}
	limit, user := "maxkeys", fmt.Sprintf("user %d", o.Owner)
	switch o.Owner {
	case 0:
		limit = "root_maxkeys"
	case UnknownOwner:
		user = "the container's root"
	}
	return fmt.Sprintf(" (%s has reached the limit on keys, /proc/sys/kernel/keys/%s, or on their size, %s; --no-new-keyring avoids a new key)",
		user, limit, strings.Replace(limit, "keys", "bytes", 1))
}

const needsAdminInUTS = " (this requires CAP_SYS_ADMIN in the user namespace that owns the uts namespace)"

func (Hostname) hint(f wire.Message) string { return ifErrno(f, unix.EPERM, needsAdminInUTS) }
func (Domain) hint(f wire.Message) string   { return ifErrno(f, unix.EPERM, needsAdminInUTS) }
func (LinkUp) hint(f wire.Message) string {
	return ifErrno(f, unix.EPERM, " (this requires CAP_NET_ADMIN in the user namespace that owns the network namespace)")
}

func (Network) hint(f wire.Message) string { return Unshare{unix.CLONE_NEWNET}.hint(f) }

func (Write) hint(f wire.Message) string {
	switch f.Errno {
	case unix.ENOENT:
		return " (the kernel has no such parameter, or not in this namespace, or a module is not loaded)"
	case unix.EINVAL, unix.ERANGE:
		return " (the kernel does not accept this value for the parameter)"
	case unix.EACCES, unix.EPERM:
		return " (the parameter is read-only, or cannot be written from this user namespace)"
	}
	return ""
}

func (OOMScore) hint(f wire.Message) string {
	return ifErrno(f, unix.EACCES, " (a value below skiff's own requires CAP_SYS_RESOURCE)")
}
