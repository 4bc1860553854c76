// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// decide makes all decisions about a tree before anything is opened; the phases
// ([Tree.Open], [Tree.Approach], [Tree.Make] ...) carry them out. Of the rules that
// answer one question, the first that applies wins.
//
// How is a mount made?
//
//	W1   cloneAhead   a bind that is added to a running container
//	W2   link         a bind with copy-symlink whose source is a symlink
//	W3   change       a remount
//	W4   create       anything else that is not a bind
//	W5   cloneInside  the source is in the rootfs
//	W6   cloneAhead   the container gets no new mount namespace
//	W7   layOut       the runtime may not clone mounts, and the tree is tight
//	W8   find         the runtime may not clone mounts
//	W9   cloneAhead   the source is below /proc, where self is another process for the child, or it cannot be found: the runtime reports why
//	W10  layOut       there is a stage
//	W11  find         it follows a mount that waits, and mounts need not stay peers of the host's
//	W12  cloneBefore  any other bind
//
// Which mounts wait until the container's tree is there?
//
//	A1   cloneInside
//	A2   create by mount(2), which makes and attaches a mount in one step
//	A3   create with a source or an option that leads into the rootfs, perhaps onto an earlier mount of the list
//	A4   any that follows one of these, except a link
//
// In which phase is it cloned or made? The phase also says who does it.
//
//	T1   atOpen       cloneAhead, if the runtime may clone mounts
//	T2   atAttach     any other cloneAhead
//	T3   atMake       cloneBefore
//	T4   atMake       layOut, unless the tree is tight
//	T5   atStage      any other layOut, one by one
//	T6   atMake       create in a running container
//	T7   atMake       create that does not wait, if any bind is cloneBefore
//	T8   inTurn       any other
//
// Who makes it an idmapped mount?
//
//	I1   mapRefused   nobody, if it is a bind and the runtime may not clone mounts
//	I2   unmapped     nobody, if it is a link or a remount
//	I3   mapByRuntime the runtime, if it clones the mount itself
//	I4   mapAsked     the runtime, asked by the child, in a tight tree, which has no room for descriptors of user namespaces
//	I5   mapAsked     likewise for cloneInside in a user namespace, which need not own the file system
//	I6   mapByChild   the child, in any other case
//
// Which propagation does the clone of a source get first, before that of its options?
//
//	P1   none         if mounts are to stay peers of the host's
//	P2   its own      the first that its options name, if that ends peering; on a stage the options' propagation comes later
//	P3   base         otherwise: MS_PRIVATE if the root's is to be private, else MS_SLAVE, which a mount of find already has
//
// Which flags of its source does the clone lose because no option names them?
//
//	U1   nosymfollow  if the container has a user namespace, or the runtime may not clone mounts
//	U2   all          that are not locked, if the runtime is in a user namespace
//	U3   all          otherwise
//
// What else is decided about a mount?
//
//	M1   late         a read-only tmpfs becomes read-only only when everything below it is made
//	M2   byMount      mount(2) makes what fsconfig(2) cannot express
//	M3   borrows      in a user namespace the host's tree is bound where a new file system is not allowed
//	M4   closes       a tight tree closes a mount that is done, unless it is late or will be remounted
//	M5   stands       a remount changes the last mount of the list at its destination, unless a later one covers that
//	M6   retried      a bind that is cloned atMake is tried again if its mount is unbindable, except in a tight tree
//	M7   name         layOut gives a mount a name on the stage, and so does cloneAhead if there is a stage
//
// And about the tree itself?
//
//	R1   tight        there is room for fewer descriptors than the tree may need
//	R2   stages       for a new mount namespace and a user namespace, if the runtime may clone mounts
//	R3   stages       likewise for a tight tree whose mounts need not stay peers
//	R4   never        the root, for a running container
//	R5   atAttach     the root, if the runtime may not clone mounts
//	R6   atStage      a root on an unbindable mount, if there is a stage
//	R7   atAttach     any other root on an unbindable mount
//	R8   atOpen       any other root
//	N1   never        the null device, if nothing is masked, or for a running container
//	N2   atAttach     the host's, if the runtime may not clone mounts
//	N3   atStage      a new one, for a user namespace with a stage
//	N4   inTurn       the host's, after the mounts, for any other new mount namespace
//	N5   atOpen       the host's, in any other case
//	D1   never        device nodes, if /dev is a bind, or for a running container
//	D2   atStage      new ones, for a user namespace with a stage
//	D3   atOpen       the host's, for a user namespace without a stage, if the runtime may clone mounts
//	D4   inTurn       new ones, in any other case
//	D5   hostNodes    the host's where new ones are refused, if the runtime is in a user namespace or may not clone mounts
//	S1   0            a mount namespace that is shared keeps its propagation
//	S2   MS_PRIVATE   where a root on an unbindable mount is cloned
//	S3   MS_SLAVE     on a stage, and where sources are found: what is unbindable stays so
//	S4   base         in any other case
//	B1   makesFirst   Make makes the mount namespace if any bind is cloneBefore
//	B2   makesFirst   or if there is a stage without a user namespace
//	B3   approaches   the root is attached at the working directory if there is a stage
//	B4   approaches   or in a user namespace, if the mount namespace is joined and the runtime may clone mounts
//	B5   guards       a recursive source of find must not bring the root along
func decide(r plan.Rootfs, e env) decisions {
	d := decisions{env: e, plan: r, mounts: expandCgroups(r.Mounts, &e.Setting), base: unix.MS_SLAVE}
	if r.Propagation&unix.MS_PRIVATE != 0 {
		d.base = unix.MS_PRIVATE
	}
	d.keepsPeers = r.Propagation&unix.MS_SHARED != 0
	d.tight = d.Room > 0 && d.Room < len(d.mounts)+d.used+Spare                    // R1
	d.stages = d.NewMounts && !d.ByChild && (d.UserNS || d.tight && !d.keepsPeers) // R2, R3
	waits := false
	for i := range d.mounts {
		m := &d.mounts[i]
		m.byMount = needsMount2(m) // M2
		m.way, m.target = d.way(m, waits)
		m.waits = m.way != link && (waits || d.needsTree(m)) // A4
		waits = waits || m.waits
		d.has[m.way] = true
		d.guards = d.guards || m.way == find && m.Recursive // B5
	}
	d.decideTree()
	remounted := d.remounted()
	d.stood = make(standing)
	for i := range d.mounts {
		d.decideMount(i, remounted)
	}
	return d
}

// way decides how m is made; after says that a mount before it waits.
func (d *decisions) way(m *mount, after bool) (_ way, target string) {
	if m.CopyLink && m.Bind && !m.Remount && !d.added {
		target, _ = d.Host.Readlink(m.Source) // not a symlink, or opening it will report the error
	}
	switch {
	case m.Bind && !m.Remount && d.added:
		return cloneAhead, "" // W1
	case target != "":
		return link, target // W2
	case m.Remount:
		return change, "" // W3
	case !m.Bind:
		return create, "" // W4
	case d.inRoot(m.Source):
		return cloneInside, "" // W5
	case !d.NewMounts:
		return cloneAhead, "" // W6
	case d.ByChild && d.tight:
		return layOut, "" // W7
	case d.ByChild:
		return find, "" // W8
	case strings.HasPrefix(m.Source, "/proc/") || !d.Host.Findable(m.Source, !m.SourceLink):
		return cloneAhead, "" // W9
	case d.stages:
		return layOut, "" // W10
	case after && !d.keepsPeers:
		return find, "" // W11
	}
	return cloneBefore, "" // W12
}

// inRoot reports whether a bind's source is in the rootfs.
func (d *decisions) inRoot(source string) bool {
	return source == d.plan.Path || strings.HasPrefix(source, strings.TrimSuffix(d.plan.Path, "/")+"/")
}

// needsTree reports whether m cannot be made before the container's tree is there.
func (d *decisions) needsTree(m *mount) bool {
	leadsInside := func(s string) bool { return strings.Contains(s, d.plan.Path) }
	switch m.way {
	case cloneInside:
		return true // A1
	case create:
		return m.byMount || leadsInside(m.Source) || slices.ContainsFunc(m.Data, leadsInside) // A2, A3
	}
	return false
}

// decideTree decides what depends, for the tree, on how its mounts are made.
func (d *decisions) decideTree() {
	d.makesFirst = d.has[cloneBefore] || d.stages && !d.UserNS     // B1, B2
	d.approaches = d.stages || d.UserNS && !d.Shared && !d.ByChild // B3, B4
	d.fillsDev = true
	for i := range d.plan.Mounts {
		m := &d.plan.Mounts[i]
		d.fillsDev = d.fillsDev && !(m.Bind && m.Destination == "/dev")
	}
	d.hostNodes = d.Inside || d.ByChild // D5
	d.kcore = d.fillsDev && !d.added && d.Host.Exists("/proc/kcore")
	d.rootAt, d.nullAt, d.nodesAt = d.opensRoot(), d.opensNull(), d.opensNodes()
	d.ofStage, d.propagation = d.propagates(true), d.propagates(false)
}

func (d *decisions) opensRoot() when {
	switch {
	case d.added:
		return never // R4
	case d.ByChild:
		return atAttach // R5
	case d.RootByChild && d.stages:
		return atStage // R6
	case d.RootByChild:
		return atAttach // R7
	}
	return atOpen // R8
}

func (d *decisions) opensNull() when {
	switch {
	case len(d.plan.Masked) == 0 || d.added:
		return never // N1
	case d.ByChild:
		return atAttach // N2
	case d.UserNS && d.stages:
		return atStage // N3
	case d.NewMounts:
		return inTurn // N4
	}
	return atOpen // N5
}

func (d *decisions) opensNodes() when {
	switch {
	case !d.fillsDev || d.added:
		return never // D1
	case d.UserNS && d.stages:
		return atStage // D2
	case d.UserNS && !d.ByChild:
		return atOpen // D3
	}
	return inTurn // D4
}

// propagates decides the propagation of all mounts in the container's mount
// namespace, or with stage in the stage's.
func (d *decisions) propagates(stage bool) uint64 {
	switch {
	case d.Shared:
		return 0 // S1
	case d.RootByChild && d.stages == stage:
		return unix.MS_PRIVATE // S2
	case stage || d.has[find]:
		return unix.MS_SLAVE // S3
	}
	return d.base // S4
}

// decideMount decides the rest about mount i; remounted are the destinations of remounts.
func (d *decisions) decideMount(i int, remounted []string) {
	m := &d.mounts[i]
	m.index, m.stands = i, -1
	m.when = d.opens(m)
	m.ids = d.mapsIDs(m)
	m.place = placeOf(m)
	before := m.when == atMake && m.way != create
	m.retried, d.retries = before && !d.tight, d.retries || before // M6
	if m.way == layOut || m.way == cloneAhead && d.stages {
		m.name = strconv.Itoa(i) // M7
	}
	switch m.way {
	case change:
		m.stands = d.stood.at(d.mounts, m.Destination) // M5
	case create:
		m.late = m.Type == "tmpfs" && (m.AttrSet|m.RecAttrSet)&unix.MOUNT_ATTR_RDONLY != 0 // M1
		m.borrows = d.UserNS || d.Inside                                                   // M3
	case link:
	default:
		m.attrs = d.attributes(m)
	}
	if d.has[change] && m.way != change {
		d.stood[m.Destination] = i
	}
	_, again := slices.BinarySearch(remounted, m.Destination)
	m.closes = d.tight && m.way != link && !m.late && (m.way == change && m.stands < 0 || m.way != change && !again) // M4
}

// opens decides when m is cloned or made.
func (d *decisions) opens(m *mount) when {
	switch {
	case m.way == cloneAhead && !d.ByChild:
		return atOpen // T1
	case m.way == cloneAhead:
		return atAttach // T2
	case m.way == cloneBefore:
		return atMake // T3
	case m.way == layOut && !d.tight:
		return atMake // T4
	case m.way == layOut:
		return atStage // T5
	case m.way == create && d.added:
		return atMake // T6
	case m.way == create && d.has[cloneBefore] && !m.waits:
		return atMake // T7
	}
	return inTurn // T8
}

// mapsIDs decides who makes m an idmapped mount.
func (d *decisions) mapsIDs(m *mount) ids {
	switch {
	case m.IDMap == nil:
		return unmapped
	case m.Bind && d.ByChild:
		return mapRefused // I1
	case m.way == link || m.way == change:
		return unmapped // I2
	case m.when == atOpen:
		return mapByRuntime // I3
	case d.tight && !d.ByChild:
		return mapAsked // I4
	case m.way == cloneInside && d.UserNS:
		return mapAsked // I5
	}
	return mapByChild // I6
}

// remounted lists, sorted, the destinations of remounts, whose mounts must stay
// open; it is empty unless the tree is tight, since otherwise all mounts stay open.
func (d *decisions) remounted() (list []string) {
	for i := range d.mounts {
		if m := &d.mounts[i]; m.Remount && d.tight {
			list = append(list, m.Destination)
		}
	}
	slices.Sort(list)
	return list
}
