// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// The limit on processes of a cgroup (pids.max) applies to a process that is cloned
// there, but not to one that is moved there. So an exec gets into a container that
// has reached its limit, which is when one most wants to look into it: all that has
// to be cloned is cloned outside.

// fullError is the kernel's refusal to clone since a limit on processes is reached.
type fullError struct{ err error }

func (e *fullError) Error() string { return e.err.Error() }
func (e *fullError) Unwrap() error { return e.err }

// FaultCode is what a program is told about it.
func (e *fullError) FaultCode() fault.Code { return fault.TooManyProcesses }

// explain names the limit.
func (e *fullError) explain(g *cgroup.Group) error {
	if limit := g.Full(); limit != "" {
		return fmt.Errorf("%w: %s is reached", e, limit)
	}
	return fault.Hint(e, "RLIMIT_NPROC or the pids limit of skiff's own cgroup, or of one above it, is reached")
}

// failed returns the error for an operation that the child reports as failed.
func (b *binding) failed(m wire.Message) error {
	e := b.prog.At(m.Index)
	err := describe(e, m)
	if _, forks := e.Operation.(program.Fork); forks && m.Errno == unix.EAGAIN {
		return &fullError{err}
	}
	return err
}
