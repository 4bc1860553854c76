package launch

import (
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"golang.org/x/sys/unix"
)

// few is a number of mounts for which no caller's limit on descriptors is too
// low, since skiff itself could not start.
const few = 24

// many tells that there are so many mounts that the limit on descriptors
// (RLIMIT_NOFILE) has to be looked at.
func (b *binding) many() bool { return b.tree != nil && len(b.Launch.Rootfs.Mounts) > few }

// room is how many descriptors the child can have, 0 if it needs few: all that
// the hard limit allows.
func (b *binding) room() (int, error) {
	if len(b.Launch.Rootfs.Mounts) <= few {
		return 0, nil
	}
	_, hard, err := b.facts.Limit(unix.RLIMIT_NOFILE)
	return int(min(hard, 1<<30)), err
}

// raiseFiles completes operation i: what it needs is known when all is laid down.
func (b *binding) raiseFiles(i int) {
	b.prog.Ops[i].Operation = program.Files{Count: uint64(min(b.prog.Slots+rootfs.Spare, b.tree.Room))}
}
