// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// checkLimits refuses early what the child would fail to do: without the privilege
// it cannot raise a hard limit either, and would fail at start only.
func (b *binding) checkLimits() error {
	if b.setsLimits() {
		return nil
	}
	for _, r := range b.Launch.Process.Rlimits {
		_, hard, err := b.facts.Limit(r.Resource)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Field, err)
		}
		if r.Hard > hard {
			err := fmt.Errorf("%s.hard: %s %s exceeds skiff's own hard limit %s: %w", r.Field, r.Name, amount(r.Hard), amount(hard), unix.EPERM)
			return fault.Hint(err, raisesHard)
		}
	}
	return nil
}

// limits sets the resource limits from outside: the child has none of the
// privileges left that raising one takes. The one on descriptors would be in
// the child's way, so here it is raised at most.
func (b *binding) limits(pid int) error {
	if !b.setsLimits() {
		return nil // the child does it
	}
	for _, r := range b.Launch.Process.Rlimits {
		soft, hard := r.Soft, r.Hard
		if r.Resource == unix.RLIMIT_NOFILE {
			var err error
			if soft, hard, err = sys.Getrlimit(r.Resource); err != nil {
				return fmt.Errorf("%s: %w", r.Field, err)
			}
			hard = max(hard, r.Hard) // the child lowers it
		}
		m := trace.Begin()
		err := sys.Prlimit(pid, r.Resource, soft, hard)
		if m.On() {
			m.Done(err, "set", fmt.Sprintf("%s of process %d: soft %s, hard %s", r.Name, pid, amount(soft), amount(hard)))
		}
		if err != nil {
			hint := limitHint(r.Resource, r.Hard, nrOpen(), err)
			return fault.Hint(fmt.Errorf("%s: set %s to soft %s, hard %s: %w", r.Field, r.Name, amount(r.Soft), amount(r.Hard), err), hint)
		}
	}
	return nil
}

func amount(n uint64) string {
	if n == ^uint64(0) {
		return "unlimited"
	}
	return fmt.Sprint(n)
}
