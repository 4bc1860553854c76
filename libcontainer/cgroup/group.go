package cgroup

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// Config is what a container wants of cgroups.
type Config struct {
	Path      string // linux.cgroupsPath: absolute from the mount, relative to the caller's cgroup; empty for /ID
	ID        string
	Resources *specs.LinuxResources // may be nil: then devices alone are limited
	// OwnerUID, if given, is the host's id of the user that may make cgroups
	// below this one (specification, "Cgroup ownership"). cgroup v2 only.
	OwnerUID *int
	// Rootless: the caller is no root over the host. Without a path it gets a
	// cgroup where it may make one, and else none: the container then runs in
	// the caller's, without limits.
	Rootless bool
	// Disabled: none is made, and the container runs in the caller's.
	Disabled bool
	// Foreign: another makes the cgroup at Path, as systemd does. [Group.Adopt]
	// takes the place of [Group.Create].
	Foreign bool
}

// Group is a container's cgroup: a directory in each mounted hierarchy. It
// holds no file open.
type Group struct {
	members   []member
	resources *specs.LinuxResources
	owner     *int
	refused   map[string]error // why a controller could not be enabled, for [Group.Limit] to tell
	granted   []grant          // what was enabled for it, while its directories were made
	made      []string         // these directories
	threaded  bool             // it was made a threaded cgroup
	kills     uint64           // those that do not count, see [Group.Mark]
	rootless  bool
	disabled  bool
	outside   []Directory // without members: where the caller is
}

// member is the share of one hierarchy in a group.
type member struct {
	names []string // v1 controllers; a single "" is the unified hierarchy
	path  string   // absolute, clean
	mount string   // mount point; empty when the group was loaded
}

func (m *member) unified() bool { return m.names[0] == "" }

// New resolves the paths of c on this host and makes nothing. It refuses what
// must not become a container's cgroup: [ErrProtected], [ErrNotEmpty],
// [ErrFrozen], in a [FieldError]. Call it before the paths are put on record:
// whoever deletes a container kills all that is in them.
func New(c Config) (*Group, error) {
	all, err := hierarchies()
	g := &Group{resources: c.Resources, owner: c.OwnerUID, rootless: c.Rootless, disabled: c.Disabled}
	if c.Disabled {
		g.stayIn(all)
		return g, nil
	}
	if c.Foreign && err == nil && (len(all) > 1 || !all[0].unified()) {
		return nil, ErrForeignLegacy
	}
	modest := c.Rootless && c.Path == ""
	if err != nil && !modest {
		return nil, err
	}
	if modest && !g.delegatedTo(&c, all) {
		return g, nil
	}
	for i := range all {
		h := &all[i]
		p, err := resolve(&c, h)
		if err != nil {
			return nil, err
		}
		m := member{names: h.names, path: path.Join(h.mount, p), mount: h.mount}
		if err := m.usable(); err != nil {
			return nil, &FieldError{pathField, err}
		}
		if c.Foreign {
			if err := m.thawedAbove(); err != nil {
				return nil, &FieldError{pathField, err}
			}
		}
		g.members = append(g.members, m)
	}
	return g, nil
}

// Paths are the directories by v1 controller; the key "" is the unified
// hierarchy. [Load] takes them back.
func (g *Group) Paths() map[string]string {
	paths := make(map[string]string)
	for i := range g.members {
		for _, name := range g.members[i].names {
			paths[name] = g.members[i].path
		}
	}
	return paths
}

// Load gives the group that [Group.Paths] described. Its cgroups need not
// exist any more.
func Load(paths map[string]string) (*Group, error) {
	g := &Group{}
	for name, p := range paths {
		if !path.IsAbs(p) || path.Clean(p) != p || p == "/" {
			return nil, fmt.Errorf("cgroup path %q is not absolute and clean", p)
		}
		i := slices.IndexFunc(g.members, func(m member) bool { return m.path == p })
		if i < 0 {
			g.members = append(g.members, member{names: []string{name}, path: p})
			continue
		}
		g.members[i].names = append(g.members[i].names, name)
	}
	// A map has no order, but the same is to happen in each run.
	for i := range g.members {
		slices.Sort(g.members[i].names)
	}
	slices.SortFunc(g.members, func(a, b member) int { return strings.Compare(a.path, b.path) })
	return g, nil
}

// Empty reports that the group has no cgroup in any hierarchy.
func (g *Group) Empty() bool { return len(g.members) == 0 }

// Legacy reports that the group has v1 hierarchies, which a process has to be
// moved into ([Group.Join]).
func (g *Group) Legacy() bool {
	return len(g.members) > 1 || len(g.members) == 1 && !g.members[0].unified()
}

// Directory is the group's directory in one hierarchy.
type Directory struct {
	Controllers []string // v1 controllers or "name=systemd"; nil for cgroup v2
	Mount       string   // mount point of the hierarchy
	Path        string   // the group's directory
}

// Directories lists the group's directory in each hierarchy, as [New] found
// them.
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

// unified is the member in the unified hierarchy, or nil.
func (g *Group) unified() *member {
	for i := range g.members {
		if g.members[i].unified() {
			return &g.members[i]
		}
	}
	return nil
}

// legacy is the member in the v1 hierarchy of the controller, or nil.
func (g *Group) legacy(controller string) *member {
	for i := range g.members {
		if slices.Contains(g.members[i].names, controller) && controller != "" {
			return &g.members[i]
		}
	}
	return nil
}

// Open opens the group's directory in the unified hierarchy for
// CLONE_INTO_CGROUP. It is nil without an error where the host has none (pure
// v1). The caller closes it.
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

// Join moves pid into the group's v1 hierarchies. The unified one is entered
// by being cloned into it; a second move would only cost a grace period.
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

// JoinAll moves pid into every hierarchy, the unified one too: for a process
// that could not be cloned into it.
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

// peek reads a file without a look at the directory first: for what is only
// told, as every `state` and `list` does it.
func (m *member) peek(name string) (string, error) {
	path := m.path + "/" + name
	fd, err := openat2(unix.AT_FDCWD, path, unix.O_RDONLY, unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_MAGICLINKS)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: path, Err: sys.Explain("openat2", err)}
	}
	defer unix.Close(fd)
	s, err := readAll(fd)
	return strings.TrimSpace(s), err
}

// Pids lists the processes of the group and of all cgroups below it.
func (g *Group) Pids() ([]int, error) {
	m := g.witness()
	if m == nil {
		return nil, nil
	}
	return pidsBelow(m.path)
}

// witness is the member to ask about processes. Where the unified hierarchy
// is mounted every process of ours was cloned into it; else each v1 hierarchy
// holds them all, and the first of these is sure to be ours alone.
func (g *Group) witness() *member {
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

// Populated reports whether a process is in the group or in a cgroup below it.
// cgroup v2 tells that without a look below.
func (g *Group) Populated() (bool, error) {
	m := g.witness()
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

// keyed gives the value of key in lines of "key value"; "0" if it is not there.
func keyed(text, key string) string {
	if v, ok := proc.Value(text, proc.Blank, key); ok {
		return v
	}
	return "0"
}
