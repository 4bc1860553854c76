package rootfs

import (
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
)

// decisions is what [decide] decides of a tree. Its rules say what the names mean.
type decisions struct {
	env
	plan   plan.Rootfs
	mounts []mount

	tight       bool
	stages      bool   // sources are laid out in a mount namespace before the container's
	retries     bool   // something is cloned atMake, and perhaps once more
	makesFirst  bool   // see [Tree.MakesFirst]
	approaches  bool   // the root is attached at the working directory
	guards      bool   // see [Tree.guard]
	fillsDev    bool   // /dev is no bind, which brings its own content
	hostNodes   bool   // the host's device nodes are bound where new ones are refused
	kcore       bool   // the host has /proc/kcore
	keepsPeers  bool   // mounts are to stay peers of the host's
	base        uint64 // propagation of a source: what is mounted on the host is seen in the container, not the other way round
	propagation uint64 // in the container's mount namespace; 0: as it is
	ofStage     uint64 // propagation in the stage's

	rootAt, nullAt, nodesAt when
	has                     [ways]bool // there is a mount that is made so
}

// env is where a tree is made.
type env struct {
	Setting
	used  int  // descriptors that others have
	added bool // see [Added]
}

// decision is what is decided of one mount.
type decision struct {
	index   int // in the list
	way     way
	target  string // of a link
	waits   bool
	when    when
	ids     ids
	name    string // on the stage; empty: it does not go there
	attrs   []attr
	late    bool
	byMount bool
	borrows bool
	closes  bool
	retried bool
	stands  int           // in the list; -1: to be looked up
	place   program.Place // flags of the destination
}

// way is how a mount is made.
type way int

const (
	_           way = iota
	link            // by a symlink in its place: what becomes one later is mounted itself
	change          // it is there, and is changed
	create          // as a new file system
	cloneAhead      // cloned ahead of all others
	cloneBefore     // cloned in the runtime's mount namespace, see [Tree.Make]
	layOut          // cloned likewise and laid out, and cloned from there in its turn, see [Tree.Approach]
	find            // found in the container's mount namespace while that is a copy of the runtime's, and cloned in its turn (Linux 6.18 does not copy that a mount is unbindable)
	cloneInside     // cloned in its turn, from where it is in the root
	ways
)

// when is the phase in which something is opened. Kernels since 6.8 sort mountinfo
// by the time at which a mount was made, which for a bind is when its source is
// cloned: this comes in the mount's turn where it can, and the table has the order
// of config.json.
type when int

const (
	never    when = iota
	atOpen        // by the runtime
	atMake        // by the child in the runtime's mount namespace
	atStage       // by the child when it is laid out
	atAttach      // by the child, ahead of all mounts
	inTurn        // by the child
)

// ids is who makes a mount an idmapped one.
type ids int

const (
	unmapped ids = iota
	mapByRuntime
	mapByChild
	mapAsked // the child sends it to the runtime
	mapRefused
)
