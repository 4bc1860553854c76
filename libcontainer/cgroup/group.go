// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
)

// Config describes the cgroup that a container asks for.
type Config struct {
	Path      string // linux.cgroupsPath (see resolve); empty for /ID
	ID        string
	Resources *specs.LinuxResources // may be nil: then only devices are limited
	// OwnerUID, if not nil, is the host uid of the user that may make cgroups below
	// this one (runtime-spec, config-linux.md, "Cgroup ownership"). Cgroup v2 only.
	OwnerUID *int
	// Rootless: the caller does not have root's privileges on the host. If Path is
	// empty, the cgroup is made where the caller may make one; if there is no such
	// place, the group stays empty and the container runs in the caller's cgroup,
	// without limits.
	Rootless bool
	// Disabled: no cgroup is made, and the container runs in the caller's.
	Disabled bool
	// Foreign: systemd makes the cgroup at Path. [Group.Adopt] takes the place of
	// [Group.Create].
	Foreign bool
}

// Group is a container's cgroup: a directory in each mounted hierarchy. It keeps no
// file open.
type Group struct {
	members     []member
	resources   *specs.LinuxResources
	owner       *int
	refused     map[string]error // why a controller could not be enabled, for the errors of [Group.Limit]
	granted     []grant          // the controllers that Create enabled in cgroups above it
	made        []string         // the directories that Create made
	threaded    bool             // a cgroup of it or above it was made threaded
	killsBefore uint64           // OOM kills before [Group.Mark]
	rootless    bool
	disabled    bool
	outside     []Directory // if there are no members: the caller's cgroups
}

// member is a group's directory in one hierarchy.
type member struct {
	names []string // v1 controllers; a single "" is the unified hierarchy
	path  string   // absolute, clean
	mount string   // mount point; empty when the group was loaded
}

func (m *member) unified() bool { return m.names[0] == "" }

// New resolves the paths of c on this host, and makes nothing. A cgroup that must not
// become a container's is refused with [ErrProtected], [ErrNotEmpty] or [ErrFrozen] in
// a [FieldError]. Call it before the paths are recorded in the state directory: delete
// kills every process in the recorded cgroups.
func New(c Config) (*Group, error) {
	all, err := hierarchies()
	g := &Group{resources: c.Resources, owner: c.OwnerUID, rootless: c.Rootless, disabled: c.Disabled}
	if c.Disabled {
		g.recordOutside(all)
		return g, nil
	}
	if c.Foreign && err == nil && (len(all) > 1 || !all[0].unified()) {
		return nil, ErrForeignLegacy
	}
	mayHaveNone := c.Rootless && c.Path == ""
	if err != nil && !mayHaveNone {
		return nil, err
	}
	if mayHaveNone && !g.findDelegated(&c, all) {
		return g, nil
	}
	for i := range all {
		h := &all[i]
		p, err := resolve(&c, h)
		if err != nil {
			return nil, err
		}
		m := member{names: h.names, path: path.Join(h.mount, p), mount: h.mount}
		if err := m.checkFreeIfThere(); err != nil {
			return nil, &FieldError{pathField, err}
		}
		if c.Foreign {
			if err := m.checkThawedAbove(); err != nil {
				return nil, &FieldError{pathField, err}
			}
		}
		g.members = append(g.members, m)
	}
	return g, nil
}

// Paths returns the group's directories by v1 controller; the key "" is the unified
// hierarchy. [Load] makes the group from them again.
func (g *Group) Paths() map[string]string {
	paths := make(map[string]string)
	for i := range g.members {
		for _, name := range g.members[i].names {
			paths[name] = g.members[i].path
		}
	}
	return paths
}

// Load returns the group with the paths of [Group.Paths]. Its cgroups need not exist
// any more.
func Load(paths map[string]string) (*Group, error) {
	g := &Group{}
	for name, p := range paths {
		if err := checkPath(p); err != nil {
			return nil, err
		}
		i := slices.IndexFunc(g.members, func(m member) bool { return m.path == p })
		if i < 0 {
			g.members = append(g.members, member{names: []string{name}, path: p})
			continue
		}
		g.members[i].names = append(g.members[i].names, name)
	}
	// A map has no order, but the order of operations must be the same in each run.
	for i := range g.members {
		slices.Sort(g.members[i].names)
	}
	slices.SortFunc(g.members, func(a, b member) int { return strings.Compare(a.path, b.path) })
	return g, nil
}

func checkPath(p string) error {
	if !path.IsAbs(p) || path.Clean(p) != p || p == "/" {
		return fmt.Errorf("cgroup path %q must be absolute, without empty, . and .. components, and not the root", p)
	}
	return nil
}

// Empty reports whether the group has no cgroup in any hierarchy.
func (g *Group) Empty() bool { return len(g.members) == 0 }

// Legacy reports whether the group has v1 hierarchies; processes have to be moved into
// these ([Group.Join]).
func (g *Group) Legacy() bool {
	return len(g.members) > 1 || len(g.members) == 1 && !g.members[0].unified()
}

// Directory is the group's directory in one hierarchy.
type Directory struct {
	Controllers []string // v1 controllers or "name=systemd"; nil for cgroup v2
	Mount       string   // mount point of the hierarchy
	Path        string   // the group's directory
}

// Directories lists the group's directory in each hierarchy. Those of a group of [Load]
// lack the mount point.
func (g *Group) Directories() []Directory {
	var all []Directory
	for i := range g.members {
		all = append(all, g.members[i].directory())
	}
	return all
}

func (m *member) directory() Directory {
	d := Directory{Controllers: m.names, Mount: m.mount, Path: m.path}
	if m.unified() {
		d.Controllers = nil
	}
	return d
}

// unified returns the member in the unified hierarchy, or nil.
func (g *Group) unified() *member {
	for i := range g.members {
		if g.members[i].unified() {
			return &g.members[i]
		}
	}
	return nil
}

// legacy returns the member in the controller's v1 hierarchy, or nil.
func (g *Group) legacy(controller string) *member {
	for i := range g.members {
		if slices.Contains(g.members[i].names, controller) && controller != "" {
			return &g.members[i]
		}
	}
	return nil
}

// Open opens the group's directory in the unified hierarchy, for CLONE_INTO_CGROUP. It
// returns nil without an error if the host has v1 alone. The caller closes it.
func (g *Group) Open() (*os.File, error) {
	m := g.unified()
	if m == nil {
		return nil, nil
	}
	d, err := openDir(m.path)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(d.fd), m.path), nil
}

// Join moves pid into the group's v1 hierarchies. It leaves out the unified one, into
// which the process was cloned: to move it there again would only cost an RCU grace
// period.
func (g *Group) Join(pid int) error {
	for i := range g.members {
		if m := &g.members[i]; !m.unified() {
			if err := m.write("cgroup.procs", strconv.Itoa(pid)); err != nil {
				return err
			}
		}
	}
	return nil
}

// JoinAll moves pid into every hierarchy, including the unified one: for a process that
// could not be cloned into it.
func (g *Group) JoinAll(pid int) error {
	if m := g.unified(); m != nil {
		if err := m.write("cgroup.procs", strconv.Itoa(pid)); err != nil {
			return err
		}
	}
	return g.Join(pid)
}

func (m *member) write(name, value string) error {
	d, err := openDir(m.path)
	if err != nil {
		return err
	}
	defer d.close()
	return d.write(name, value)
}

func (m *member) read(name string) (string, error) {
	d, err := openDir(m.path)
	if err != nil {
		return "", err
	}
	defer d.close()
	return d.read(name)
}

// Pids lists the processes of the group and of all cgroups below it.
func (g *Group) Pids() ([]int, error) {
	m := g.processMember()
	if m == nil {
		return nil, nil
	}
	return pidsBelow(m.path)
}

// processMember returns the member whose process list is read. Where the unified
// hierarchy is mounted, every process of the group was cloned into it. Otherwise each
// v1 hierarchy has all of them; the hierarchies tried first are certain not to be
// shared with other programs.
func (g *Group) processMember() *member {
	if m := g.unified(); m != nil {
		return m
	}
	for _, name := range [...]string{"pids", "devices", "freezer", "memory"} {
		if m := g.legacy(name); m != nil {
			return m
		}
	}
	if len(g.members) > 0 {
		return &g.members[0]
	}
	return nil
}

// Populated reports whether a process is in the group or in a cgroup below it. For
// cgroup v2 one read of cgroup.events is enough; for v1 it walks all cgroups.
func (g *Group) Populated() (bool, error) {
	m := g.processMember()
	if m == nil {
		return false, nil
	}
	if !m.unified() {
		pids, err := pidsBelow(m.path)
		return len(pids) > 0, err
	}
	events, err := m.read("cgroup.events")
	if gone(err) {
		return false, nil
	}
	return keyed(events, "populated") != "0", err
}

// keyed returns the value of key in text, which has lines of "key value"; "0" if there
// is no such line.
func keyed(text, key string) string {
	if v, ok := proc.Value(text, proc.Blank, key); ok {
		return v
	}
	return "0"
}
