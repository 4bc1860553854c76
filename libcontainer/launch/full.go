package launch

import (
	"errors"
	"fmt"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// A process that is moved into a cgroup does not have to keep to its limit of
// processes, only one that is cloned there (pids.max). So an exec gets into a
// container that has as many as it may, which is when one most wants to look:
// what there is to clone is cloned outside.

// fullError is the kernel's refusal to clone: some limit of processes is reached.
type fullError struct{ err error }

func (e *fullError) Error() string { return e.err.Error() }
func (e *fullError) Unwrap() error { return e.err }

// explain names the limit.
func (e *fullError) explain(g *cgroup.Group) error {
	if limit := g.Full(); limit != "" {
		return fmt.Errorf("%w: %s is reached", e.err, limit)
	}
	return fmt.Errorf("%w (RLIMIT_NPROC, or the pids limit of skiff's own cgroup or of one above, is reached)", e.err)
}

// failed is what the child tells of an operation that failed.
func (b *binding) failed(m wire.Message) error {
	e := b.prog.At(m.Index)
	err := describe(e, m)
	if _, forks := e.Operation.(program.Fork); forks && m.Errno == unix.EAGAIN {
		return &fullError{err}
	}
	return err
}

// enterLate puts the process that goes on into the cgroups, which nothing has
// been put into before.
func (b *binding) enterLate(pid int) error {
	if b.Waits.Entered {
		return b.Enter(pid)
	}
	return b.joinAll(b.Cgroup, pid)
}

// joinAll moves a process into each hierarchy; into the cgroup of the container's
// init if its own takes none.
func (b *binding) joinAll(g *cgroup.Group, pid int) error {
	err := g.JoinAll(pid)
	if !errors.Is(err, unix.EBUSY) || b.Init == nil {
		return err
	}
	near, err := b.nearInit(err)
	if err != nil {
		return err
	}
	return near.JoinAll(pid)
}
