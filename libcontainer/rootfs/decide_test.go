// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// The settings in which the rows make trees.
var (
	onHost      = env{Setting: Setting{NewMounts: true}}
	inUserns    = env{Setting: Setting{NewMounts: true, UserNS: true}}
	byUser      = env{Setting: Setting{NewMounts: true, UserNS: true, ByChild: true}}
	nested      = env{Setting: Setting{NewMounts: true, Inside: true}}
	sharing     = env{Setting: Setting{Shared: true}}
	joining     = env{Setting: Setting{}}
	joinsUserns = env{Setting: Setting{UserNS: true}}
	adding      = env{Setting: Setting{NewMounts: true}, added: true}
)

func narrow(e env) env     { e.Room = tight; return e }
func unbindable(e env) env { e.RootByChild = true; return e }
func without(e env) env    { e.ByChild = true; return e }

// Propagation of the root.
func shared(r plan.Rootfs) plan.Rootfs  { r.Propagation = unix.MS_SHARED; return r }
func private(r plan.Rootfs) plan.Rootfs { r.Propagation = unix.MS_PRIVATE | unix.MS_REC; return r }

func masked(r plan.Rootfs) plan.Rootfs { r.Masked = []string{"/proc/kcore"}; return r }

var (
	source   = bind("/src/a", "/a")
	tree     = bind("/src/a", "/a", recursively)
	inside   = bind("/b/rootfs/x", "/x")
	ownProc  = bind("/proc/self/fd/7", "/p")
	tmpfs    = fileSystem("tmpfs", "/t")
	tmpfsRO  = fileSystem("tmpfs", "/t", sets(unix.MOUNT_ATTR_RDONLY))
	overlay  = fileSystem("overlay", "/o", long)
	linked   = bind("/src/link", "/l", copyLink)
	ofIDs    = bind("/src/a", "/a", mapped)
	flagless = bind("/src/a", "/a", unnamed(unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOSYMFOLLOW))
)

// Each row names a rule, and what it decides about the last mount or about the tree.
var decided = []struct {
	rules string
	name  string
	on    env
	plan  plan.Rootfs
	want  string
}{
	{"W1 T1", "a bind that is added", adding, of(source), "way=cloneAhead when=atOpen"},
	{"W1", "one with copy-symlink", adding, of(linked), "way=cloneAhead"},
	{"W1", "one of what is in the rootfs", adding, of(inside), "way=cloneAhead"},
	{"W1 T2", "a bind that an ordinary user adds", without(adding), of(source), "way=cloneAhead when=atAttach"},
	{"W2 T8", "a symlink to copy", onHost, of(linked), "way=link when=inTurn target=../target"},
	{"W2", "for an ordinary user", byUser, of(linked), "way=link"},
	{"W2", "what is no symlink", onHost, of(bind("/src/a", "/a", copyLink)), "way=cloneBefore target="},
	{"W2", "a symlink in the rootfs", onHost, of(bind("/b/rootfs/link", "/a", copyLink)), "way=link"},
	{"W2 W3", "a remount that says so, too", onHost, of(remount("/l", bound, copyLink, func(m *plan.Mount) { m.Source = "/src/link" })), "way=change"},
	{"W3 T8", "a remount", onHost, of(tmpfs, remount("/t")), "way=change when=inTurn"},
	{"W3", "a remount of a bind", byUser, of(source, remount("/a", bound)), "way=change"},
	{"W4", "a file system", onHost, of(tmpfs), "way=create"},
	{"W4", "one that an ordinary user adds", without(adding), of(tmpfs), "way=create"},
	{"W5 T8", "a source in the rootfs", onHost, of(inside), "way=cloneInside when=inTurn"},
	{"W5", "the rootfs itself", onHost, of(bind("/b/rootfs", "/x")), "way=cloneInside"},
	{"W5", "what is beside it", onHost, of(bind("/b/rootfs-too", "/x")), "way=cloneBefore"},
	{"W5", "by an ordinary user", byUser, of(inside), "way=cloneInside"},
	{"W5", "with a stage", inUserns, of(inside), "way=cloneInside name="},
	{"W5", "with a shared mount namespace", sharing, of(inside), "way=cloneInside"},
	{"W6 T1", "a shared mount namespace", sharing, of(source), "way=cloneAhead when=atOpen"},
	{"W6 T1", "one that is joined", joining, of(source), "way=cloneAhead when=atOpen"},
	{"W6 T2", "one that an ordinary user joins", without(joinsUserns), of(source), "way=cloneAhead when=atAttach"},
	{"W6 T2", "one that is joined, with little room", narrow(without(joinsUserns)), of(source), "way=cloneAhead when=atAttach"},
	{"W7 T5", "an ordinary user with little room", narrow(byUser), of(source), "way=layOut when=atStage name=0"},
	{"W8 T8", "an ordinary user", byUser, of(source), "way=find when=inTurn"},
	{"W8", "a source through his own proc", byUser, of(ownProc), "way=find"},
	{"W8", "a root who may not clone mounts", without(nested), of(source), "way=find"},
	{"W9 T1", "a source through the runtime's proc", onHost, of(ownProc), "way=cloneAhead when=atOpen"},
	{"W9", "with a stage", inUserns, of(ownProc), "way=cloneAhead when=atOpen name=0"},
	{"W9", "a source that cannot be found", onHost, of(bind("/closed/x", "/a")), "way=cloneAhead"},
	{"W9", "a symlink itself that leads nowhere", onHost, of(bind("/src/dangling", "/a", notFollowed)), "way=cloneBefore"},
	{"W9", "what it leads to", onHost, of(bind("/src/dangling", "/a")), "way=cloneAhead"},
	{"W10 T4", "a user namespace", inUserns, of(source), "way=layOut when=atMake name=0"},
	{"W10 T5", "one with little room", narrow(inUserns), of(source), "way=layOut when=atStage"},
	{"W10 T5", "the host's root with little room", narrow(onHost), of(source), "way=layOut when=atStage"},
	{"W11 T8", "after one that waits", onHost, of(inside, source), "way=find when=inTurn"},
	{"W12 T3", "the same, among peers of the host's", onHost, shared(of(inside, source)), "way=cloneBefore when=atMake"},
	{"W12 T3", "little room among peers", narrow(onHost), shared(of(source)), "way=cloneBefore when=atMake"},
	{"W12 T3", "a bind", onHost, of(source), "way=cloneBefore when=atMake"},

	{"A1", "a source in the rootfs waits", onHost, of(inside), "waits"},
	{"A2 M2", "mount(2) waits", onHost, of(overlay), "waits byMount"},
	{"A2", "a bind does not, whatever its options", onHost, of(bind("/src/a", "/a", long)), "!waits"},
	{"A3", "a medium in the rootfs waits", onHost, of(with(fileSystem("ext4", "/d"), func(m *plan.Mount) { m.Source = "/b/rootfs/disk" })), "waits"},
	{"A3", "so does a layer in it", onHost, of(fileSystem("overlay", "/o", data("lowerdir=/l:/b/rootfs/x"))), "waits"},
	{"A4 T8", "what comes after", onHost, of(source, overlay, tmpfs), "waits when=inTurn"},
	{"A4", "a link does not wait", onHost, of(overlay, linked), "!waits"},
	{"A4", "what comes after a link", onHost, of(source, linked, tmpfs), "!waits"},

	{"T6", "a file system that is added", adding, of(tmpfs), "when=atMake"},
	{"T7", "one between binds", onHost, of(tmpfsRO, source, tmpfs), "when=atMake"},
	{"T7 T8", "one without binds", onHost, of(tmpfs), "when=inTurn"},
	{"T8", "one in a user namespace", inUserns, of(source, tmpfs), "when=inTurn"},

	{"I1", "an idmapped bind of an ordinary user", byUser, of(ofIDs), "ids=mapRefused"},
	{"I1", "one that he adds", without(adding), of(ofIDs), "ids=mapRefused"},
	{"I2", "a link", onHost, of(bind("/src/link", "/l", copyLink, mapped)), "ids=unmapped"},
	{"I3", "an idmapped bind that the runtime clones", sharing, of(ofIDs), "ids=mapByRuntime"},
	{"I4", "one that the child clones with little room", narrow(onHost), of(ofIDs), "ids=mapAsked"},
	{"I4", "a file system", narrow(inUserns), of(fileSystem("tmpfs", "/t", mapped)), "ids=mapAsked"},
	{"I4 I6", "a file system of an ordinary user with little room", narrow(byUser), of(fileSystem("tmpfs", "/t", mapped)), "ids=mapByChild"},
	{"I5", "one in the rootfs of a user namespace", inUserns, of(bind("/b/rootfs/x", "/x", mapped)), "ids=mapAsked"},
	{"I6", "one in the rootfs", onHost, of(bind("/b/rootfs/x", "/x", mapped)), "ids=mapByChild"},
	{"I6", "a tree", inUserns, of(bind("/src/a", "/a", mappedTree)), "ids=mapByChild"},

	{"P1", "a source among peers", onHost, shared(of(source)), "attrs=[]"},
	{"P2", "a private bind", onHost, of(bind("/src/a", "/a", propagates(unix.MS_PRIVATE))), "attrs=[private]"},
	{"P2", "its tree is not", onHost, of(bind("/src/a", "/a", recursively, propagates(unix.MS_PRIVATE))), "attrs=[slave/tree private]"},
	{"P2", "a shared one is a slave first", onHost, of(bind("/src/a", "/a", propagates(unix.MS_SHARED))), "attrs=[slave shared]"},
	{"P2", "on a stage that comes later", inUserns, of(bind("/src/a", "/a", propagates(unix.MS_PRIVATE))), "attrs=[slave]"},
	{"P3", "a source", onHost, of(tree), "attrs=[slave/tree]"},
	{"P3", "one of a private root", onHost, private(of(tree)), "attrs=[private/tree]"},
	{"P3", "one that is found is a slave", byUser, of(tree), "attrs=[]"},
	{"P3", "and has to become private", byUser, private(of(tree)), "attrs=[private/tree]"},
	{"U3", "flags without a name", onHost, of(flagless), "attrs=[slave-0x200004]"},
	{"U2", "in a user namespace", nested, of(flagless), "attrs=[slave -0x200004?]"},
	{"U1", "for a user namespace", inUserns, of(flagless), "attrs=[slave-0x200000]"},
	{"U1", "an ordinary user's", byUser, of(flagless), "attrs=[-0x200000]"},
	{"U1", "a root's who may not clone mounts", without(nested), of(flagless), "attrs=[-0x200000]"},
	{"U3 U1", "flags with a name", inUserns, of(bind("/src/a", "/a", recursively, sets(1), clears(2), readonlyTree)), "attrs=[slave/tree +0x1-0x2 +0x1/tree]"},

	{"M1", "a read-only tmpfs", onHost, of(tmpfsRO), "late"},
	{"M1", "one whose tree is", onHost, of(fileSystem("tmpfs", "/t", readonlyTree)), "late"},
	{"M1", "another one", onHost, of(fileSystem("ext4", "/d", sets(unix.MOUNT_ATTR_RDONLY))), "!late"},
	{"M2", "i_version", onHost, of(fileSystem("ext4", "/d", super(unix.MS_I_VERSION, 0))), "byMount"},
	{"M2", "any other", onHost, of(tmpfs), "!byMount"},
	{"M3", "a file system in a user namespace", inUserns, of(tmpfs), "borrows"},
	{"M3", "one in the runtime's", nested, of(tmpfs), "borrows"},
	{"M3", "the host's root", onHost, of(tmpfs), "!borrows"},
	{"M4", "a mount in a tight tree", narrow(onHost), of(tmpfs), "closes"},
	{"M4", "where there is room", onHost, of(tmpfs), "!closes"},
	{"M4", "what is read-only later", narrow(onHost), of(tmpfsRO), "!closes"},
	{"M4", "what is remounted", narrow(onHost), of(remount("/t"), tmpfs), "!closes"},
	{"M4", "a remount of the list", narrow(onHost), of(tmpfs, remount("/t")), "!closes"},
	{"M4", "any other remount", narrow(onHost), of(remount("/t")), "closes"},
	{"M4", "a link", narrow(onHost), of(linked), "!closes"},
	{"M5", "a remount", onHost, of(source, tmpfs, remount("/t")), "stands=1"},
	{"M5", "of what is covered", onHost, of(fileSystem("tmpfs", "/t/u"), tmpfs, remount("/t/u")), "stands=-1"},
	{"M6", "a bind", onHost, of(source), "retried retries"},
	{"M6", "a user namespace's", inUserns, of(source), "retried retries"},
	{"M6", "with little room", narrow(onHost), of(source), "!retried !retries"},
	{"M6", "with little room among peers", narrow(onHost), shared(of(source)), "!retried retries"},
	{"M6", "a file system", onHost, of(source, tmpfs), "!retried"},
	{"M6", "one that the runtime clones", onHost, of(ownProc), "!retried !retries"},
	{"M7", "what the runtime clones for a stage", inUserns, of(tmpfs, ownProc), "name=1"},
	{"M7", "and without", joinsUserns, of(tmpfs, ownProc), "name="},
	{"M7", "added to a user namespace", env{Setting: inUserns.Setting, added: true}, of(source), "name=0"},

	{"R1", "less room than others leave", env{Setting: Setting{NewMounts: true, Room: 1 + 5 + Spare}, used: 6}, of(source), "tight"},
	{"R1", "as much as is needed", env{Setting: Setting{NewMounts: true, Room: 1 + 6 + Spare}, used: 6}, of(source), "!tight"},
	{"R1", "no limit", onHost, of(source), "!tight"},
	{"R2", "a user namespace", inUserns, of(), "stages"},
	{"R2", "an ordinary user's", byUser, of(), "!stages"},
	{"R2", "one with a mount namespace that is there", joinsUserns, of(), "!stages"},
	{"R2", "added to one", env{Setting: inUserns.Setting, added: true}, of(), "stages"},
	{"R3", "little room", narrow(onHost), of(), "stages"},
	{"R3", "among peers", narrow(onHost), shared(of()), "!stages"},
	{"R3", "in a mount namespace that is there", narrow(joining), of(), "!stages"},
	{"R4", "the root of a container that runs", adding, of(), "root=never"},
	{"R5", "an ordinary user's", byUser, of(), "root=atAttach"},
	{"R5", "one on an unbindable mount", unbindable(byUser), of(), "root=atAttach"},
	{"R6", "one for a user namespace", unbindable(inUserns), of(), "root=atStage"},
	{"R7", "one of the host's root", unbindable(onHost), of(), "root=atAttach"},
	{"R8", "any other", onHost, of(), "root=atOpen"},
	{"R8", "with a stage", inUserns, of(), "root=atOpen"},

	{"N1", "nothing is masked", onHost, of(), "null=never"},
	{"N1", "or the container runs", adding, masked(of()), "null=never"},
	{"N2", "an ordinary user", byUser, masked(of()), "null=atAttach"},
	{"N3", "a user namespace", inUserns, masked(of()), "null=atStage"},
	{"N4", "the host's root", onHost, masked(of()), "null=inTurn"},
	{"N4", "with little room", narrow(onHost), masked(of()), "null=inTurn"},
	{"N5", "a shared mount namespace", sharing, masked(of()), "null=atOpen"},
	{"N5", "one that is joined", joinsUserns, masked(of()), "null=atOpen"},

	{"D1", "a bind on /dev", inUserns, of(bind("/dev", "/dev")), "nodes=never !fillsDev !kcore"},
	{"D1", "a container that runs", adding, of(), "nodes=never"},
	{"D2", "a user namespace", inUserns, of(), "nodes=atStage fillsDev kcore"},
	{"D3", "one that has a mount namespace", joinsUserns, of(), "nodes=atOpen"},
	{"D4", "the host's root", onHost, of(fileSystem("tmpfs", "/dev")), "nodes=inTurn fillsDev"},
	{"D4", "with little room", narrow(onHost), of(), "nodes=inTurn"},
	{"D4 D5", "an ordinary user", byUser, of(), "nodes=inTurn hostNodes"},
	{"D5", "a root of a user namespace", nested, of(), "hostNodes"},
	{"D5", "the host's", inUserns, of(), "!hostNodes"},

	{"S1", "a shared mount namespace", sharing, of(), "propagation=0"},
	{"S1", "that of a user", unbindable(without(sharing)), of(), "propagation=0"},
	{"S2", "a root on an unbindable mount", unbindable(onHost), of(), "propagation=private"},
	{"S2", "on a stage", unbindable(inUserns), of(), "ofStage=private propagation=slave"},
	{"S3", "a source that is found", byUser, private(of(source)), "propagation=slave"},
	{"S3", "a stage", inUserns, private(of(source)), "ofStage=slave"},
	{"S4", "else", inUserns, private(of(source)), "propagation=private"},
	{"S4", "without a word", onHost, of(source), "propagation=slave"},

	{"B1", "a source that is cloned before", onHost, of(source), "makesFirst"},
	{"B1", "none", onHost, of(tmpfs, ownProc), "!makesFirst"},
	{"B2", "little room", narrow(onHost), of(), "makesFirst"},
	{"B2", "a user namespace", inUserns, of(source), "!makesFirst"},
	{"B3", "a stage", inUserns, of(), "approaches"},
	{"B3", "of the host's root", narrow(onHost), of(), "approaches"},
	{"B3 B4", "none", onHost, of(), "!approaches"},
	{"B4", "a mount namespace that is joined", joinsUserns, of(), "approaches"},
	{"B4", "by an ordinary user", without(joinsUserns), of(), "!approaches"},
	{"B4", "one that is shared", env{Setting: Setting{Shared: true, UserNS: true}}, of(), "!approaches"},
	{"B4", "without a user namespace", joining, of(), "!approaches"},
	{"B5", "a tree that is found", byUser, of(tree, source), "guards"},
	{"B5", "no tree", byUser, of(source), "!guards"},
	{"B5", "a tree that is cloned before", onHost, of(tree), "!guards"},
}

func TestDecide(t *testing.T) {
	for _, row := range decided {
		t.Run(row.rules+" "+row.name, func(t *testing.T) {
			row.on.Host, row.plan.Path = aHost, "/b/rootfs"
			d := decide(row.plan, row.on)
			facts := factsOf(&d)
			for _, want := range split(row.want) {
				if !slices.Contains(facts, want) {
					t.Errorf("decided: %s; expected %s", strings.Join(facts, " "), want)
				}
			}
		})
	}
}

// Each rule has a row, and each row names rules that exist.
func TestRules(t *testing.T) {
	text, err := os.ReadFile("decide.go")
	if err != nil {
		t.Fatal(err)
	}
	rule := regexp.MustCompile(`(?m)^//\t([A-Z]\d+) `)
	left := make(map[string]bool)
	for _, m := range rule.FindAllStringSubmatch(string(text), -1) {
		left[m[1]] = true
	}
	all := len(left)
	if all < 40 {
		t.Fatalf("decide.go has %d rules", all)
	}
	known := make(map[string]bool)
	for r := range left {
		known[r] = true
	}
	for _, row := range decided {
		for _, r := range strings.Fields(row.rules) {
			if !known[r] {
				t.Errorf("%s: decide.go has no rule %s", row.name, r)
			}
			delete(left, r)
		}
	}
	for r := range left {
		t.Errorf("rule %s has no row", r)
	}
}

// split splits the expected facts at spaces outside brackets.
func split(want string) []string {
	return regexp.MustCompile(`[^ \[]+(\[[^\]]*\])?`).FindAllString(want, -1)
}

// factsOf names what is decided about the tree and about its last mount.
func factsOf(d *decisions) (facts []string) {
	is := func(name string, holds bool) {
		if !holds {
			name = "!" + name
		}
		facts = append(facts, name)
	}
	say := func(name string, value any) { facts = append(facts, fmt.Sprintf("%s=%v", name, value)) }
	is("tight", d.tight)
	is("stages", d.stages)
	is("retries", d.retries)
	is("makesFirst", d.makesFirst)
	is("approaches", d.approaches)
	is("guards", d.guards)
	is("fillsDev", d.fillsDev)
	is("hostNodes", d.hostNodes)
	is("kcore", d.kcore)
	say("propagation", propagationNames[d.propagation])
	say("ofStage", propagationNames[d.ofStage])
	say("root", whenNames[d.rootAt])
	say("null", whenNames[d.nullAt])
	say("nodes", whenNames[d.nodesAt])
	if len(d.mounts) == 0 {
		return facts
	}
	m := &d.mounts[len(d.mounts)-1]
	say("way", wayNames[m.way])
	say("when", whenNames[m.when])
	say("ids", idsNames[m.ids])
	say("target", m.target)
	say("name", m.name)
	say("stands", m.stands)
	say("attrs", attrNames(m.attrs))
	is("waits", m.waits)
	is("late", m.late)
	is("byMount", m.byMount)
	is("borrows", m.borrows)
	is("closes", m.closes)
	is("retried", m.retried)
	return facts
}

var (
	wayNames         = [ways]string{link: "link", change: "change", create: "create", cloneAhead: "cloneAhead", cloneBefore: "cloneBefore", layOut: "layOut", find: "find", cloneInside: "cloneInside"}
	whenNames        = [...]string{never: "never", atOpen: "atOpen", atMake: "atMake", atStage: "atStage", atAttach: "atAttach", inTurn: "inTurn"}
	idsNames         = [...]string{unmapped: "unmapped", mapByRuntime: "mapByRuntime", mapByChild: "mapByChild", mapAsked: "mapAsked", mapRefused: "mapRefused"}
	propagationNames = map[uint64]string{0: "0", unix.MS_PRIVATE: "private", unix.MS_SLAVE: "slave", unix.MS_SHARED: "shared", unix.MS_UNBINDABLE: "unbindable"}
)

// attrNames formats calls like "slave/tree +0x1-0x2 -0x4?": a propagation, + for what is
// set, - for what is cleared, /tree for the whole tree, ? for what is only tried.
func attrNames(attrs []attr) []string {
	var names []string
	for _, a := range attrs {
		name := ""
		if a.Propagation != 0 {
			name = propagationNames[a.Propagation]
		}
		if a.Attr_set != 0 {
			name += fmt.Sprintf("+%#x", a.Attr_set)
		}
		if a.Attr_clr != 0 {
			name += fmt.Sprintf("-%#x", a.Attr_clr)
		}
		if a.recursive {
			name += "/tree"
		}
		if a.try {
			name += "?"
		}
		names = append(names, name)
	}
	return names
}
