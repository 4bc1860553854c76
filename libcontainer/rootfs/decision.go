// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
)

// decisions is what [decide] decides about a tree. Its rules explain the names.
type decisions struct {
	env
	plan   plan.Rootfs
	mounts []mount

	tight       bool
	stages      bool   // there is a stage: sources are laid out in a mount namespace of their own first
	retries     bool   // something is cloned atMake, and perhaps has to be tried again
	makesFirst  bool   // see [Tree.MakesFirst]
	approaches  bool   // the root is attached at the working directory
	guards      bool   // see [Tree.guard]
	fillsDev    bool   // /dev is not a bind, which would bring its own content
	hostNodes   bool   // the host's device nodes are bound where new ones are refused
	kcore       bool   // the host has /proc/kcore
	keepsPeers  bool   // mounts stay peers of the host's
	base        uint64 // propagation of a source: the container sees what the host mounts, not the other way round
	propagation uint64 // in the container's mount namespace; 0: unchanged
	ofStage     uint64 // propagation in the stage's mount namespace

	rootAt, nullAt, nodesAt when
	has                     [ways]bool // whether any mount is made this way
	stood                   standing   // what remounts find at their destinations; only filled in if there is a remount
}

// env is where a tree is made.
type env struct {
	Setting
	used  int  // descriptors that the program needs for other things
	added bool // see [Added]
}

// decision is what is decided about one mount.
type decision struct {
	index   int // in the list
	way     way
	target  string // of a link
	waits   bool
	when    when
	ids     ids
	name    string // on the stage; empty: it is not laid out
	attrs   []attr
	late    bool
	byMount bool
	borrows bool
	closes  bool
	retried bool
	stands  int           // index of the mount that a remount changes; -1: it is looked up
	place   program.Place // flags of the destination
}

// way is how a mount is made.
type way int

const (
	_           way = iota
	link            // a symlink in its place; a source that becomes a symlink later is mounted itself
	change          // change what is mounted already
	create          // make a new file system
	cloneAhead      // clone it ahead of all others
	cloneBefore     // clone it in the runtime's mount namespace, see [Tree.Make]
	layOut          // likewise, lay it out, and clone it from there in its turn, see [Tree.Approach]
	find            // open it while the container's mount namespace is a copy of the runtime's, and clone it in its turn (Linux 6.18 does not copy that a mount is unbindable)
	cloneInside     // clone it in its turn, from where it is in the root
	ways
)

// when is the phase in which something is opened. Since Linux 6.8 mountinfo is
// sorted by the time at which a mount was made, which for a bind is when its source
// is cloned. So sources are cloned in turn where that is possible: then mountinfo has
// the order of config.json.
type when int

const (
	never    when = iota
	atOpen        // by the runtime
	atMake        // by the child in the runtime's mount namespace
	atStage       // by the child, when the stage is laid out
	atAttach      // by the child, ahead of all mounts
	inTurn        // by the child, in the order of the list
)

// ids says who makes a mount an idmapped mount.
type ids int

const (
	unmapped ids = iota
	mapByRuntime
	mapByChild
	mapAsked // the child sends it to the runtime
	mapRefused
)
