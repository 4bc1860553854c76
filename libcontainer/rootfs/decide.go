package rootfs

import (
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// decide decides all of a tree, before anything is opened; the phases ([Tree.Open],
// [Tree.Approach], [Tree.Make] ...) carry it out. Of the rules for one thing the first
// that holds is the answer.
//
// How is a mount made?
//
//	W1   cloneAhead   a bind that is added to a container that runs
//	W2   link         a bind with copy-symlink, whose source is a symlink
//	W3   change       a remount
//	W4   create       what is no bind
//	W5   cloneInside  the source is in the rootfs
//	W6   cloneAhead   the container gets no new mount namespace
//	W7   layOut       the runtime may not clone mounts, and the tree is tight
//	W8   find         the runtime may not clone mounts
//	W9   cloneAhead   the source is below /proc, whose self is another one for the child, or cannot be found: the runtime says why
//	W10  layOut       there is a stage
//	W11  find         it comes after one that waits, and mounts need not stay peers of the host's
//	W12  cloneBefore  any other bind
//
// What waits for the container's tree?
//
//	A1   cloneInside
//	A2   create by mount(2), which makes and attaches at once
//	A3   create with a source or an option that leads into the rootfs, perhaps to a mount of the list
//	A4   what comes after one of these
//
// When is it cloned or made, and so by whom?
//
//	T1   atOpen       cloneAhead of a runtime that may clone mounts
//	T2   atAttach     any other cloneAhead
//	T3   atMake       cloneBefore
//	T4   atMake       layOut, unless the tree is tight
//	T5   atStage      any other layOut, one by one
//	T6   atMake       create in a container that runs
//	T7   atMake       create, if a bind is cloned before, and it does not wait
//	T8   inTurn       any other
//
// Who maps the ids of an idmapped mount?
//
//	I1   mapRefused   nobody, of a bind where the runtime may not clone mounts
//	I2   unmapped     a link and a remount have none
//	I3   mapByRuntime what it clones itself
//	I4   mapAsked     in a tight tree, which has no room for the descriptors of user namespaces
//	I5   mapAsked     cloneInside in a user namespace, which need not own the file system
//	I6   mapByChild   any other
//
// Which propagation does the clone of a source get first, before its own?
//
//	P1   none         if mounts are to stay peers of the host's
//	P2   its own      the first that its options name, if it is no peer by that; on a stage its own come later
//	P3   base         else: MS_PRIVATE if the root's is to be so, or MS_SLAVE, which find has already
//
// Which flags does it lose since no option names them?
//
//	U1   nosymfollow  for a new user namespace, and of a runtime that may not clone mounts
//	U2   all          that are not locked, in a user namespace
//	U3   all          else
//
// What else is there of a mount?
//
//	M1   late         a new tmpfs becomes read-only when all is made below it
//	M2   byMount      mount(2) makes what fsconfig(2) cannot say
//	M3   borrows      in a user namespace the host's tree is bound where no new one is allowed
//	M4   closes       a tight tree does when it is done, unless it is late or remounted
//	M5   stands       a remount is of the last mount of the list at its destination, unless one covers it since
//	M6   retried      what is cloned atMake, but in a tight tree, if its mount is unbindable
//	M7   name         what is laid out goes to the stage, and a source that the runtime has cloned
//
// And of the tree itself?
//
//	R1   tight        there is room for fewer descriptors than there may be
//	R2   stages       for a new mount namespace and a user namespace, of a runtime that may clone mounts
//	R3   stages       or likewise for a tight tree, whose mounts need not stay peers
//	R4   never        the root, for a container that runs
//	R5   atAttach     that of a runtime which may not clone mounts
//	R6   atStage      one on an unbindable mount, if there is a stage
//	R7   atAttach     one on an unbindable mount
//	R8   atOpen       any other
//	N1   never        the null device, if nothing is masked
//	N2   atAttach     that of a runtime which may not clone mounts: the host's
//	N3   atStage      that of a user namespace with a stage: a new one
//	N4   inTurn       that of any other new mount namespace, after the mounts: the host's
//	N5   atOpen       that of any other: the host's
//	D1   never        device nodes, if /dev is a bind, or for a container that runs
//	D2   atStage      those of a user namespace with a stage: new ones
//	D3   atOpen       those of one without: the host's
//	D4   inTurn       any others: new ones
//	D5   hostNodes    or the host's where those are refused, in a user namespace or to an ordinary user
//	S1   0            the propagation in a mount namespace that is shared stays
//	S2   MS_PRIVATE   that where a root on an unbindable mount is cloned
//	S3   MS_SLAVE     that of a stage, and where sources are found: what is unbindable stays so
//	S4   base         any other
//	B1   makesFirst   Make makes the mount namespace if a source is cloned before
//	B2   makesFirst   or for a stage without a user namespace
//	B3   approaches   the root is attached at the working directory, which a stage is
//	B4   approaches   or the rootfs in a user namespace, if the mount namespace is joined and the runtime may clone mounts
//	B5   guards       a recursive source that is found must not bring the root along
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
	for i := range d.mounts {
		d.decideMount(i, remounted)
	}
	return d
}

// way decides how m is made; after: one that waits comes before it.
func (d *decisions) way(m *mount, after bool) (_ way, target string) {
	if m.CopyLink && m.Bind && !m.Remount && !d.added {
		target, _ = d.Host.Readlink(m.Source) // no symlink, or it is told of when it is opened
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

// decideTree decides of the tree what depends on how its mounts are made.
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
// namespace, or in the stage's.
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

// decideMount decides the rest of mount i; remounted are the destinations of remounts.
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
		m.stands = standing(d.mounts, i) // M5
	case create:
		m.late = m.Type == "tmpfs" && (m.AttrSet|m.RecAttrSet)&unix.MOUNT_ATTR_RDONLY != 0 // M1
		m.borrows = d.UserNS || d.Inside                                                   // M3
	case link:
	default:
		m.attrs = d.attributes(m)
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

// remounted are the destinations of remounts, for which a mount has to stay open,
// sorted; none where all do.
func (d *decisions) remounted() (list []string) {
	for i := range d.mounts {
		if m := &d.mounts[i]; m.Remount && d.tight {
			list = append(list, m.Destination)
		}
	}
	slices.Sort(list)
	return list
}
