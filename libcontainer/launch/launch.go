// SPDX-License-Identifier: Apache-2.0

// Package launch is the runtime's half of starting a process: it compiles a plan to
// a program for this host, starts the child that runs it, answers the child, and on
// failure returns an error that explains it and leaves nothing behind.
//
// order.go defines the order of all operations, session.go the conversation with the
// child.
package launch

import (
	"os"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/cred"
	"github.com/skiff-oci/skiff/libcontainer/netns"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
)

// Request is one process to start.
type Request struct {
	Launch *plan.Launch

	Stdio    [3]*os.File
	Preserve []int    // the caller's descriptors to pass on, ascending from 3, each under its own number
	Hold     bool     // wait for start before the user's program
	Listener *os.File // with Hold: the listening socket that start connects to
	Keyring  bool     // join a new session keyring

	Cgroup       *cgroup.Group // the cgroup to start in; nil: the caller's
	Limit        bool          // set the cgroup's limits, too
	CgroupView   rootfs.CgroupView
	SeccompCache []string // directories of compiled filters, the preferred one first
	Scratch      string   // directory for a file without a name

	Warn func(format string, args ...any) // is called for problems that do not prevent the start

	// Exec: the container's init, and the CLONE_NEW* flags of its namespaces
	// to join.
	Init           *os.File
	InitPid        int
	InitNamespaces uint64
	Root           *os.File // its root directory; only if the container has no mount namespace of its own

	Network *netns.Namespace // the process's network namespace, which is being made; nil: the child makes it, if there is to be one

	byChild     bool // the runtime was refused to clone mounts
	rootByChild bool // the runtime was refused to clone the root
	late        bool // the cgroup is full: the process is moved into it when nothing is left to clone

	Waits Waits
}

// Waits are the stages at which the child waits for the caller, besides those that
// the plan asks for.
type Waits struct {
	Entered bool // at [Enter]: the child cannot be cloned into the cgroup
	Mounted bool // at [Mounted]
	Ready   bool // at [Ready], when it has become the user; otherwise it may do that meanwhile
}

// Running is a process that was started, or that waits for start (Hold).
type Running struct {
	Pid   int
	Pidfd *os.File
	Tail  []program.Step // with Hold: the operations that are left, for [Release]
	First int            // index of the first of these
}

// Plan makes the program of r without running it.
func Plan(r *Request) (*program.Program, error) {
	b, err := bind(r, Probe())
	if err != nil {
		return nil, err
	}
	return b.prog, nil
}

// Withheld returns the capabilities, as a mask, that r asks for and that this
// runtime cannot give.
func Withheld(r *Request) uint64 {
	if r.InUserNamespace() {
		return 0
	}
	return cred.Withheld(&r.Launch.Process, cred.Granted())
}
