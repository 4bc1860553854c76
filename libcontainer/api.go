package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/notify"
	"github.com/skiff-oci/skiff/libcontainer/seccomp"
	"github.com/skiff-oci/skiff/libcontainer/store"
	"github.com/skiff-oci/skiff/libcontainer/sys"
)

// Host is where containers live: the state directory and the cgroup driver.
type Host struct {
	Version       string // of the caller, for versions that read the state directory later
	Root          string // state directory, absolute: /run/skiff
	Shared        string // directory for what all state directories of the user share; empty: Root
	SystemdCgroup bool   // cgroups are made through systemd: the user's, if Rootless
	NoCgroup      bool   // no cgroup is made: containers stay in the caller's
	Rootless      bool   // the caller is not privileged on this host

	// Warn is told of what does not stop a command but should be known; nil
	// for nobody.
	Warn func(format string, args ...any)
	// Note is told at once of what keeps a command waiting, perhaps by another
	// goroutine; nil for nobody.
	Note func(format string, args ...any)

	// Debug is told of each step and how long it took; nil for nobody. Then
	// nothing is measured.
	Debug func(format string, args ...any)

	owners map[uint32]string // names of users that were looked up
}

// InUserNamespace tells that the caller is in a user namespace other than the
// host's.
func InUserNamespace() bool { return sys.InUserNamespace() }

// UnifiedCgroups reports whether the host has cgroup v2 alone.
func UnifiedCgroups() bool { return cgroup.Unified() }

// LibseccompVersion is that of the libseccomp that filters are compiled with,
// or "none".
func LibseccompVersion() string { return seccomp.LibraryVersion() }

// SeccompFlags are the flags of a filter that the kernel has.
func SeccompFlags() []string { return seccomp.SupportedFlags() }

// HasSeccompArch reports whether that libseccomp has an architecture.
func HasSeccompArch(word string) bool { return seccomp.HasArch(word) }

// IO is what a new process gets from its caller.
type IO struct {
	// The process's standard streams; of no use when it has a terminal.
	Stdin, Stdout, Stderr *os.File

	ConsoleSocket string // AF_UNIX socket that the terminal's master is sent to; empty: it is Process.Console
	PlainOutput   bool   // a terminal that becomes Process.Console passes \n on as it is, and makes no \r\n of it
	PidfdSocket   string // AF_UNIX socket that a pidfd of the process is sent to
	PidFile       string // written atomically, with the pid in decimal
	Preserve      []int  // the caller's descriptors that are passed on, ascending from 3, each under its own number
	ListenFDs     int    // LISTEN_FDS: how many of those from 3 on are sockets that the process is told of (sd_listen_fds(3))
	ListenNames   string // LISTEN_FDNAMES; may be empty
	NotifySocket  string // NOTIFY_SOCKET: what the container sends to its own goes there; empty: it has none
	NoNewKeyring  bool   // keep the caller's session keyring
	Hold          bool   // create: stop before the user's program until Start
	Subreaper     bool   // become the reaper of the container's orphans (run in the foreground)
}

// StartOptions are start's own.
type StartOptions struct {
	NotifySocket string // as in IO; of no use unless create had one, too
}

// ExecOptions are exec's own.
type ExecOptions struct {
	IgnorePaused bool // start the process in a paused container
}

// Process is a process that this skiff started: a container's init or an exec.
type Process struct {
	Pid     int      // as the runtime sees it
	Pidfd   *os.File // may be nil
	Console *os.File // the terminal's master; nil without one or when it was sent to a socket

	notify *notify.Proxy
	group  *cgroup.Group // nil of one that was restored
}

// Status is what a container is doing. It is computed at each look, never
// stored.
type Status int

// The statuses of the runtime specification ("State"), and paused, which every
// runtime adds.
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

// State is the document that `state` prints: the specification's state, and
// what runc adds to it, in runc's order.
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

// What an operation on a container can run into; test with errors.Is.
var (
	ErrNotExist   = errors.New("container does not exist")
	ErrExist      = errors.New("container with given ID already exists")
	ErrNotRunning = errors.New("container not running")
	ErrRunning    = errors.New("container still running")
	ErrPaused     = errors.New("container paused")
	ErrNotPaused  = errors.New("container not paused")
	ErrInvalidID  = errors.New("invalid container ID format")
	ErrDamaged    = store.ErrDamaged
)

// CheckID reports whether id may name a container: letters, digits and _+.-,
// but neither "." nor "..", at most 1024 bytes (runc's rule; the length is
// ours, since the id becomes a path).
func CheckID(id string) error {
	if id == "" || id == "." || id == ".." || len(id) > 1024 {
		return fmt.Errorf("%w: %q", ErrInvalidID, id)
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
