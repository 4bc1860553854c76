// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"os"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/notify"
	"github.com/skiff-oci/skiff/libcontainer/seccomp"
	"github.com/skiff-oci/skiff/libcontainer/store"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
)

// Host is the environment of an operation on containers: the state directory, the
// cgroup driver, and the caller's privileges.
type Host struct {
	Version       string // version of the caller, which records name as their writer
	Root          string // state directory, absolute: /run/skiff
	Shared        string // directory of what all state directories of the user share; empty for Root
	SystemdCgroup bool   // cgroups are made by systemd, or with Rootless by the user's systemd
	NoCgroup      bool   // no cgroup is made: containers run in the caller's
	Rootless      bool   // the caller is not privileged on this host

	// Warn prints a warning: something that does not stop the command but that the user
	// should know. It may be nil.
	Warn func(format string, args ...any)
	// Note prints at once what the command waits for. It may be called from another
	// goroutine, and may be nil.
	Note func(format string, args ...any)

	owners map[uint32]string // cache of user names by uid
}

// InUserNamespace reports whether the caller is in a user namespace other than the
// initial one.
func InUserNamespace() bool { return sys.InUserNamespace() }

// UnifiedCgroups reports whether the host has only cgroup v2.
func UnifiedCgroups() bool { return cgroup.Unified() }

// LibseccompVersion returns the version of the libseccomp that compiles filters, or
// "none".
func LibseccompVersion() string { return seccomp.LibraryVersion() }

// SeccompFlags returns the words of the SECCOMP_FILTER_FLAG_* flags that the running
// kernel supports.
func SeccompFlags() []string { return seccomp.SupportedFlags() }

// HasSeccompArch reports whether that libseccomp supports an architecture, given as the
// specification's word (SCMP_ARCH_*).
func HasSeccompArch(word string) bool { return seccomp.HasArch(word) }

// IO describes what a new process gets from its caller.
type IO struct {
	// The process's standard streams; unused if it has a terminal.
	Stdin, Stdout, Stderr *os.File

	ConsoleSocket string // AF_UNIX socket that the terminal's master is sent to; if empty, the master is Process.Console
	PlainOutput   bool   // a terminal that becomes Process.Console does not convert \n to \r\n (ONLCR is cleared)
	PidfdSocket   string // AF_UNIX socket that a pidfd of the process is sent to; may be empty
	PidFile       string // file that the pid is written to, in decimal and atomically; may be empty
	Preserve      []int  // the caller's descriptors that the process inherits, ascending from 3, each with the same number
	ListenFDs     int    // LISTEN_FDS: how many of them, from 3 on, are passed sockets (sd_listen_fds(3))
	ListenNames   string // LISTEN_FDNAMES; may be empty
	NotifySocket  string // NOTIFY_SOCKET of the caller, which the container's messages are relayed to; if empty, the container has no such socket
	NoNewKeyring  bool   // keep the caller's session keyring
	Hold          bool   // create: stop before the user's program until Start
	Subreaper     bool   // become a subreaper, for the container's orphans (run in the foreground)
}

// StartOptions are the options of [Container.Start].
type StartOptions struct {
	NotifySocket string // as in IO; unused unless create had one, too
}

// ExecOptions are the options of [Container.Exec].
type ExecOptions struct {
	IgnorePaused bool // start the process in a paused container
}

// Process is a process that this skiff started: a container's first process, or one
// that exec started.
type Process struct {
	Pid     int      // in the runtime's pid namespace
	Pidfd   *os.File // may be nil
	Console *os.File // the terminal's master; nil if there is no terminal, or if the master was sent to a socket

	notify *notify.Proxy
	group  *cgroup.Group // nil if the process was restored
	begun  trace.Mark    // of the caller's wait for its end
}

// Status is the status of a container. It is computed at each call, never stored.
type Status int

// The statuses of the runtime specification ("State"), and Paused, which every runtime
// adds.
const (
	Stopped Status = iota
	Creating
	Created
	Running
	Paused
)

func (s Status) String() string {
	return [...]string{"stopped", "creating", "created", "running", "paused"}[s]
}

// State is the document that `state` prints: the specification's state, and the members
// that runc adds to it, in runc's order.
type State struct {
	Version     string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Pid         int               `json:"pid"`
	Status      string            `json:"status"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Owner       string            `json:"owner"`
}

// The errors of operations on containers, for errors.Is.
var (
	ErrNotExist   = fault.New(fault.NoContainer, "container does not exist")
	ErrExist      = fault.New(fault.ContainerExists, "container with given ID already exists")
	ErrNotRunning = fault.New(fault.NotRunning, "container not running")
	ErrPaused     = fault.New(fault.Paused, "container paused")
	ErrNotPaused  = fault.New(fault.NotPaused, "container not paused")
	ErrInvalidID  = fault.New(fault.InvalidID, "invalid container ID format")
	ErrDamaged    = store.ErrDamaged
)

// CheckID returns [ErrInvalidID] unless id is a valid container id: letters, digits and
// _+.-, not "." or "..", at most 1024 bytes. The characters are runc's rule; the length
// is ours, since the id becomes part of a path.
func CheckID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: %q: must not be empty", ErrInvalidID, id)
	case id == "." || id == "..":
		return fmt.Errorf("%w: %q: must not be \".\" or \"..\"", ErrInvalidID, id)
	case len(id) > 1024:
		return fmt.Errorf("%w: %q: must not be longer than 1024 characters", ErrInvalidID, id)
	}
	for i := 0; i < len(id); i++ {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '_', c == '+', c == '.', c == '-':
		default:
			return fmt.Errorf("%w: %q: only letters, digits and _+.- are allowed", ErrInvalidID, id)
		}
	}
	return nil
}
