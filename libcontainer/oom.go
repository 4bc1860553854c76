package libcontainer

import (
	"errors"
	"fmt"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// What the kernel kills for want of memory it counts in the cgroup. That it was
// that is said of a process if it was killed and the count has grown since
// before it was made, and not for anything less.

// markOOM notes the count before an exec. Where the container has no limit of
// its own that is spared.
func markOOM(g *cgroup.Group, l *plan.Launch) {
	if r := l.Cgroup.Resources; r != nil && (r.Memory != nil || len(r.Unified) > 0) {
		g.Mark()
	} else {
		g.MarkNone()
	}
}

// initOOM adds to err, by which create failed, that the kernel has killed for want
// of memory since. The words before the limit are runc's.
func initOOM(g *cgroup.Group, err error) error {
	switch {
	case !g.OOMKilled():
		return err
	case errors.Is(err, wire.ErrClosed):
		return fmt.Errorf("container init was OOM-killed (memory limit too low?%s): %w", limitOf(g), err)
	}
	return fmt.Errorf("%w (the kernel has killed a process of the container for want of memory; memory limit too low?%s)", err, limitOf(g))
}

// execOOM is that for an exec, which shares the cgroup with others.
func execOOM(g *cgroup.Group, err error) error {
	if errors.Is(err, wire.ErrClosed) && g.OOMKilled() {
		return fmt.Errorf("%w (possibly OOM-killed)", err)
	}
	return err
}

func limitOf(g *cgroup.Group) string {
	if limit := g.MemoryLimit(); limit != "" {
		return " it is " + limit + " bytes"
	}
	return ""
}

// OOM says that the kernel killed a process of the container for want of memory
// while p, which has ended with the status, ran; empty if there is no such sign.
func (p *Process) OOM(status int) string {
	if status != 128+int(unix.SIGKILL) || p.group == nil || !p.group.OOMKilled() {
		return ""
	}
	limit := ""
	if s := p.group.MemoryLimit(); s != "" {
		limit = " (its limit is " + s + " bytes)"
	}
	return "the kernel has killed a process of the container for want of memory" + limit
}
