// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"golang.org/x/sys/unix"
)

// few is a number of mounts for which the limit on descriptors always suffices:
// with a lower limit, skiff itself could not start.
const few = 24

// many reports whether there are so many mounts that the limit on descriptors
// (RLIMIT_NOFILE) may be too low.
func (b *binding) many() bool { return b.tree != nil && len(b.Launch.Rootfs.Mounts) > few }

// room returns how many descriptors the child can have, which is the hard limit; 0
// if it needs few.
func (b *binding) room() (int, error) {
	if len(b.Launch.Rootfs.Mounts) <= few {
		return 0, nil
	}
	_, hard, err := b.facts.Limit(unix.RLIMIT_NOFILE)
	return int(min(hard, 1<<30)), err
}

// raiseFiles fills in operation i, the first Files: the number of slots is known only
// when the program is complete.
func (b *binding) raiseFiles(i int) {
	b.prog.Ops[i].Operation = program.Files{Count: uint64(min(b.prog.Slots+rootfs.Spare, b.tree.Room))}
}
