// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// The kernel counts OOM kills in the cgroup. A process is said to have been OOM-killed
// only if it was killed and the count has grown since before it was created.

// markOOM stores the count before an exec. If the container has no memory limit, it
// does not read the count, and no OOM kill is reported.
func markOOM(g *cgroup.Group, l *plan.Launch) {
	if r := l.Cgroup.Resources; r != nil && (r.Memory != nil || len(r.Unified) > 0) {
		g.Mark()
	} else {
		g.MarkNone()
	}
}

// initOOM adds to err, the failure of create, that the kernel has OOM-killed a process
// since. The wording, up to the limit, is runc's.
func initOOM(g *cgroup.Group, err error) error {
	switch {
	case !g.OOMKilled():
		return err
	case errors.Is(err, wire.ErrClosed):
		return initKilled(limitOf(g), err)
	}
	return fault.With(fault.OutOfMemory, fault.Hint(err, "the kernel OOM-killed a process of the container; memory limit too low?"+limitOf(g)))
}

func initKilled(limit string, err error) error {
	return fault.With(fault.OutOfMemory, fmt.Errorf("container init was OOM-killed (memory limit too low?%s): %w", limit, err))
}

// execOOM is initOOM for an exec, which shares the cgroup with other processes.
func execOOM(g *cgroup.Group, err error) error {
	if errors.Is(err, wire.ErrClosed) && g.OOMKilled() {
		return fault.With(fault.OutOfMemory, fault.Hint(err, "possibly OOM-killed"))
	}
	return err
}

func limitOf(g *cgroup.Group) string {
	if limit := g.MemoryLimit(); limit != "" {
		return " it is " + limit + " bytes"
	}
	return ""
}

// OOM returns a message if the kernel OOM-killed a process of the container while p
// ran, which has ended with the status. It is empty if nothing shows that.
func (p *Process) OOM(status int) string {
	if status != 128+int(unix.SIGKILL) || p.group == nil || !p.group.OOMKilled() {
		return ""
	}
	limit := ""
	if s := p.group.MemoryLimit(); s != "" {
		limit = " (the memory limit is " + s + " bytes)"
	}
	return "the kernel OOM-killed a process of the container" + limit
}
