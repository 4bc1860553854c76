// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/tests/golden"
	"golang.org/x/sys/unix"
)

// TestListings compares the programs for many lists of mounts with the files in
// testdata/listings. There is one file for each setup in which a tree is made.
func TestListings(t *testing.T) {
	for _, at := range setups {
		file := strings.ReplaceAll(at.name, " ", "-")
		t.Run(file, func(t *testing.T) {
			golden.Compare(t, filepath.Join("testdata", "listings", file+".txt"), []byte(at.file()))
		})
	}
}

// setup describes where a tree is made.
type setup struct {
	name        string
	on          Setting
	propagation uint64 // linux.rootfsPropagation
	added       bool   // the mounts are added to a running container
	like        string // a setup whose listings are not repeated where they are the same
	main        bool   // list only the main cases
}

// file returns the listings of this setup.
func (at *setup) file() string {
	like := slices.IndexFunc(setups, func(s setup) bool { return s.name == at.like })
	var b strings.Builder
	for i := range cases {
		c := &cases[i]
		if at.main && !c.main {
			continue
		}
		listing := at.list(c)
		if like >= 0 && listing == setups[like].list(c) {
			listing = "as in " + at.like + "\n"
		}
		fmt.Fprintf(&b, "== %s\n%s", c.name, listing)
	}
	return b.String()
}

const tight = 1 // room for fewer descriptors than any tree needs

var setups = []setup{
	{name: "root", on: Setting{NewMounts: true}},
	{name: "root private", on: Setting{NewMounts: true}, propagation: unix.MS_PRIVATE | unix.MS_REC, main: true},
	{name: "root shared", on: Setting{NewMounts: true}, propagation: unix.MS_SHARED, main: true},
	{name: "root tight", on: Setting{NewMounts: true, Room: tight}},
	{name: "root tight shared", on: Setting{NewMounts: true, Room: tight}, propagation: unix.MS_SHARED, main: true},
	{name: "root unbindable", on: Setting{NewMounts: true, RootByChild: true}},
	{name: "root unbindable tight", on: Setting{NewMounts: true, RootByChild: true, Room: tight}, main: true},
	{name: "nested", on: Setting{NewMounts: true, Inside: true}, like: "root"},
	{name: "nested without rights", on: Setting{NewMounts: true, Inside: true, ByChild: true}, like: "user"},
	{name: "userns", on: Setting{NewMounts: true, UserNS: true, Owner: shifted}},
	{name: "userns tight", on: Setting{NewMounts: true, UserNS: true, Owner: shifted, Room: tight}},
	{name: "userns unbindable", on: Setting{NewMounts: true, UserNS: true, RootByChild: true}, main: true},
	{name: "userns nested", on: Setting{NewMounts: true, UserNS: true, Inside: true}, like: "userns"},
	{name: "user", on: Setting{NewMounts: true, UserNS: true, ByChild: true}},
	{name: "user private", on: Setting{NewMounts: true, UserNS: true, ByChild: true}, propagation: unix.MS_PRIVATE, main: true},
	{name: "user tight", on: Setting{NewMounts: true, UserNS: true, ByChild: true, Room: tight}},
	{name: "shared mounts", on: Setting{Shared: true}},
	{name: "shared mounts of user", on: Setting{Shared: true, UserNS: true, ByChild: true}, main: true},
	{name: "joined mounts", on: Setting{}},
	{name: "joined mounts userns", on: Setting{UserNS: true}, main: true},
	{name: "joined mounts tight", on: Setting{Room: tight}, main: true},
	{name: "added", on: Setting{NewMounts: true}, added: true},
	{name: "added userns", on: Setting{NewMounts: true, UserNS: true}, added: true},
	{name: "added without rights", on: Setting{NewMounts: true, Inside: true, ByChild: true}, added: true},
	{name: "added by user", on: Setting{NewMounts: true, UserNS: true, ByChild: true}, added: true, like: "added without rights"},
}

func shifted(uid, gid uint32) (hostUID, hostGID uint32) { return uid + 100000, gid + 200000 }

// aHost has symlinks to copy (link), one that leads nowhere (/src/dangling), and hides
// what is below /closed.
var aHost = Host{
	Findable: func(path string, follow bool) bool {
		return !strings.HasPrefix(path, "/closed") && !(follow && path == "/src/dangling")
	},
	Readlink: func(path string) (string, error) {
		if path == "/src/link" || path == "/b/rootfs/link" {
			return "../target", nil
		}
		return "", unix.EINVAL
	},
	Exists: func(string) bool { return true },
}

// list lists the operations of a tree, phase by phase.
func (at *setup) list(c *listed) string {
	r, on := c.plan, at.on
	r.Path, r.Propagation = "/b/rootfs", at.propagation
	for i := range r.Mounts {
		r.Mounts[i].Field = fmt.Sprintf("mounts[%d]", i)
	}
	on.Cgroup, on.Host = c.view, aHost
	l := &lister{prog: new(program.Program), links: len(r.Devices) > 0}
	l.prog.Inherit(2) // descriptors of others
	if at.added {
		return l.added(r, on)
	}
	return l.whole(r, on)
}

type lister struct {
	prog  *program.Program
	links bool // list the links in /dev
	text  strings.Builder
	seen  int
}

// whole lists the phases of a new container in the order of package launch.
func (l *lister) whole(r plan.Rootfs, on Setting) string {
	tree := New(r, on, l.prog)
	if on.UserNS {
		l.phase(approach(on), tree.Approach)
	}
	if tree.MakesFirst() {
		l.phase("make", tree.Make)
	}
	l.phase("attach", tree.Attach)
	l.phase("mounts", tree.Mounts)
	l.phase("devices", tree.Devices)
	l.phase("enter", tree.Enter)
	l.phase("seal", tree.Seal)
	return l.end()
}

// approach names the phase: before a new mount namespace there is a stage.
func approach(on Setting) string {
	if on.NewMounts {
		return "stage"
	}
	return "approach"
}

// added lists the phases of mounts that are added, in the order of package launch.
func (l *lister) added(r plan.Rootfs, on Setting) string {
	r.Mounts = slices.DeleteFunc(slices.Clone(r.Mounts), func(m plan.Mount) bool { return m.CopyLink }) // see TestAddedLink
	tree, err := Added(r, on, l.prog)
	if err != nil {
		return err.Error() + "\n"
	}
	if on.UserNS {
		l.phase(approach(on), tree.Approach)
	}
	if on.UserNS || on.ByChild {
		l.phase("clone", tree.Clone)
	}
	l.phase("new", tree.MakeNew)
	l.phase("attach", tree.AttachAll)
	return l.end()
}

// phase lists the operations that emit adds.
func (l *lister) phase(name string, emit func(p *program.Program)) {
	emit(l.prog)
	all := l.prog.String()
	more := all[l.seen:]
	l.seen = len(all)
	if more != "" {
		fmt.Fprintf(&l.text, "%s:\n", name)
	}
	for line := range strings.Lines(more) {
		line = strings.ReplaceAll(line, longName, "LONG")
		operation, field, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  # ")
		if name == "devices" && !l.links && strings.Contains(operation, "symlink(") {
			continue
		}
		l.text.WriteString(strings.TrimRight(operation, " "))
		if field != "" {
			l.text.WriteString("  # " + field)
		}
		l.text.WriteByte('\n')
	}
}

// end returns the list, with the number of descriptors before it.
func (l *lister) end() string {
	return fmt.Sprintf("inherits %d, of %d\n%s", l.prog.Inherited, l.prog.Slots, l.text.String())
}

// An error names the source of a bind as config.json has it, also where the child
// clones it from a stage, and explains why a source cannot be cloned.
func TestSourcesAreNamed(t *testing.T) {
	p := new(program.Program)
	r := of(bind("/src/a", "/a"))
	r.Path, r.Masked = "/b/rootfs", []string{"/proc/kcore"}
	tree := New(r, Setting{NewMounts: true, UserNS: true, Host: aHost}, p)
	tree.Approach(p)
	tree.Attach(p)
	tree.Mounts(p)
	ofRoot := new(program.Program)
	New(r, Setting{NewMounts: true, Host: aHost}, ofRoot).Mounts(ofRoot)
	named, explained := 0, 0
	for _, e := range slices.Concat(p.Ops, ofRoot.Ops) {
		op, ok := e.Operation.(program.OpenTree)
		if !ok {
			continue
		}
		if op.Path == "0" && e.What() == "open the source /src/a" {
			named++
		}
		if op.Path == "/dev/null" && op.Because != nil {
			explained++
		}
	}
	if named != 1 || explained != 1 {
		t.Errorf("%d sources named, %d null devices explained, in\n%s", named, explained, p)
	}
}
