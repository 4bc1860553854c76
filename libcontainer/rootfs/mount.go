// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"path"
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/program"
	"golang.org/x/sys/unix"
)

// mount adds the operations of one mount. To follow it to the system call: from here
// to bind, fsmount or remount, and from there to the operations in child/src/mount.c.
func (t *Tree) mount(p *program.Program, m *mount) {
	switch {
	case m.way == link:
		p.Add(m.Field, program.Symlink{Root: t.Root, Target: m.target, Path: m.Destination, Same: true})
	case m.way == change:
		t.remount(p, m)
	case m.way != create:
		t.bind(p, m)
	default:
		t.fsmount(p, m)
	}
	for _, l := range m.links {
		p.Add(m.Field, program.Symlink{Root: m.slot, Target: l[0], Path: l[1]})
	}
	if m.closes {
		p.Add("", program.Close{File: m.slot})
	}
}

// newFS makes a new file system as a detached mount.
func (t *Tree) newFS(p *program.Program, m *mount) {
	set := m.AttrSet | m.RecAttrSet
	if m.late {
		set &^= unix.MOUNT_ATTR_RDONLY
		t.late = append(t.late, program.Entry{
			Operation: program.SetAttr{Mount: m.slot, Attributes: program.Attributes{Set: unix.MOUNT_ATTR_RDONLY}, On: m.Destination},
			Field:     m.Field,
		})
	}
	if m.byMount {
		t.mount2(p, m, set)
	} else {
		t.fsopen(p, m, set)
	}
	switch m.ids {
	case mapByChild:
		p.Add(m.Field, program.SetAttr{Mount: m.slot, IDs: m.userNS, Attributes: program.Attributes{Set: unix.MOUNT_ATTR_IDMAP}, On: m.Destination})
	case mapAsked:
		t.askMapped(p, m, m.slot)
	}
}

// fsopen makes a file system by fsopen(2), with its attributes.
func (t *Tree) fsopen(p *program.Program, m *mount, set uint64) {
	op := program.FSMount{Out: m.slot, Type: m.Type, Source: m.Source, Options: append(parameters(m), t.label(m)...), Set: set, Label: t.rootLabel(m), On: m.Destination}
	if m.borrows {
		if op.HostTree, op.HostAttr.Set = hostTree(m.Type, set); op.HostTree != "" {
			op.HostAttr.Propagation = t.base
		}
	}
	p.Add(m.Field, op)
}

// fsmount attaches a new file system, and makes it first unless that has been done.
func (t *Tree) fsmount(p *program.Program, m *mount) {
	if m.when == inTurn {
		t.newFS(p, m)
	}
	p.Add(m.Field, program.Attach{Mount: m.slot, Root: t.Root, Destination: m.Destination, Place: m.place, CopyUp: m.CopyUp})
	t.propagate(p, m, m.slot)
}

// label returns the option that makes SELinux treat all files of a new mount as
// labelled with linux.mountLabel. It is empty for file systems that label their files
// themselves, and where config.json has such an option of its own.
func (t *Tree) label(m *mount) []string {
	if t.plan.MountLabel == "" {
		return nil
	}
	switch m.Type {
	case "proc", "sysfs", "mqueue", "cgroup", "cgroup2":
		return nil
	}
	if slices.ContainsFunc(m.Data, isContext) {
		return nil
	}
	return []string{t.plan.MountLabel}
}

// rootLabel returns the SELinux label of the root of an mqueue, which takes no such
// option: without the label the container's program could make no queue in it. It is
// empty for other file systems.
func (t *Tree) rootLabel(m *mount) string {
	if m.Type != "mqueue" {
		return ""
	}
	_, label, _ := strings.Cut(t.plan.MountLabel, "=")
	return label
}

// quoted quotes options for mount(2), where a comma ends a value without quotes.
func quoted(options []string) (list []string) {
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		list = append(list, key+`="`+value+`"`)
	}
	return list
}

// isContext reports whether an option is one of SELinux's.
func isContext(option string) bool {
	switch key, _, _ := strings.Cut(option, "="); key {
	case "context", "fscontext", "defcontext", "rootcontext":
		return true
	}
	return false
}

// unquoted returns an option for fsconfig(2): the value of a context loses its
// quotes, and any other option stays as it is, since quotes may be part of it.
func unquoted(option string) string {
	key, value, _ := strings.Cut(option, "=")
	if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' && isContext(option) {
		return key + "=" + value[1:n-1]
	}
	return option
}

// hostTree returns where the host has a file system that a user namespace may be
// refused: sysfs belongs to a network namespace, proc to a pid namespace, mqueue to an
// ipc namespace, and what is covered on the host must stay covered. Then the host's own
// tree is bound instead, with the given attributes. All of sysfs is read-only, because
// cgroups are below it (CVE-2023-25809).
func hostTree(fsType string, attr uint64) (path string, attrs uint64) {
	switch fsType {
	case "proc":
		return "/proc", attr
	case "sysfs":
		return "/sys", attr | unix.MOUNT_ATTR_RDONLY
	case "mqueue":
		return "/dev/mqueue", attr
	}
	return "", 0
}

// mount2 makes a file system by mount(2), and then sets the attributes of its mount:
// see needsMount2.
func (t *Tree) mount2(p *program.Program, m *mount, set uint64) {
	flags := m.SuperSet
	if set&m.AttrSet&unix.MOUNT_ATTR_RDONLY != 0 {
		flags |= unix.MS_RDONLY
	}
	options := strings.Join(slices.Concat(m.Data, quoted(t.label(m))), ",")
	p.Add(m.Field, program.Mount2{Out: m.slot, Root: t.Root, Type: m.Type, Source: m.Source, Options: options, Flags: flags, On: m.Destination})
	p.Add(m.Field, program.SetAttr{Mount: m.slot, Attributes: program.Attributes{Set: set, Clear: unix.MOUNT_ATTR__ATIME}, On: m.Destination})
}

// remount changes what is mounted at the destination: the file system and its mount,
// or with bind only the mount (mount(8)). The destination may be in a volume that is
// shared with others, who could swap names there. So a mount of the list is reached by
// its descriptor, and any other is looked up only once.
func (t *Tree) remount(p *program.Program, m *mount) {
	var root, at program.Slot
	if m.stands >= 0 {
		root, at = program.NoSlot, t.mounts[m.stands].slot
	} else {
		m.slot = p.NewSlot()
		root, at = t.Root, m.slot
	}
	add := func(tree bool, options []string, a program.Attributes) {
		p.Add(m.Field, program.Remount{Mount: at, Root: root, Path: m.Destination, Options: options, Attributes: a, Tree: tree})
		root = program.NoSlot
	}
	if m.RecAttrSet|m.RecAttrClear != 0 {
		add(true, nil, program.Attributes{Set: m.RecAttrSet, Clear: m.RecAttrClear})
	}
	var options []string
	if !m.Bind {
		options = parameters(m)
	}
	add(false, options, program.Attributes{Set: m.AttrSet, Clear: m.AttrClear})
	for _, n := range m.Propagation {
		add(n&unix.MS_REC != 0, nil, program.Attributes{Propagation: n &^ unix.MS_REC})
	}
}

// standing has the last mount at each destination, of those that are no remounts and
// come before the one in turn.
type standing map[string]int

// at returns the index of the mount that is at the destination of a remount; -1 if the
// list has made none there, or a later one covers it.
func (s standing) at(mounts []mount, destination string) int {
	at, ok := s[destination]
	if !ok || mounts[at].way == link {
		return -1
	}
	for above := destination; len(above) > 1; {
		above = path.Dir(above)
		if i, ok := s[above]; ok && i > at {
			return -1
		}
	}
	return at
}

// propagate adds the propagation flags of a mount that has been attached.
func (t *Tree) propagate(p *program.Program, m *mount, fs program.Slot) {
	for _, n := range m.Propagation {
		p.Add(m.Field, program.SetAttr{Mount: fs, Attributes: program.Attributes{Propagation: n &^ unix.MS_REC}, Tree: n&unix.MS_REC != 0, On: m.Destination})
	}
}

// needsMount2 reports whether a mount has something that fsconfig(2) cannot express:
// i_version, which has no name there, a value of 256 bytes or more (overlay's
// lowerdir), or an option with a comma, which the file system itself has to split.
func needsMount2(m *mount) bool {
	if m.SuperSet&unix.MS_I_VERSION != 0 {
		return true
	}
	for _, o := range m.Data {
		o = unquoted(o)
		if _, value, _ := strings.Cut(o, "="); len(value) > 255 || strings.Contains(o, ",") && !isContext(o) {
			return true
		}
	}
	return false
}

// parameters returns the file system's options, and the names of those superblock
// flags that have one.
func parameters(m *mount) []string {
	s := slices.Clone(m.Data)
	for i := range s {
		s[i] = unquoted(s[i])
	}
	names := [...]struct {
		flag    uint64
		on, off string
	}{
		{unix.MS_SYNCHRONOUS, "sync", "async"},
		{unix.MS_DIRSYNC, "dirsync", ""},
		{unix.MS_MANDLOCK, "mand", "nomand"},
		{unix.MS_LAZYTIME, "lazytime", "nolazytime"},
	}
	for _, n := range names {
		if m.SuperSet&n.flag != 0 {
			s = append(s, n.on)
		} else if m.SuperClear&n.flag != 0 && n.off != "" && m.Remount {
			s = append(s, n.off)
		}
	}
	if m.AttrSet&unix.MOUNT_ATTR_RDONLY != 0 && onDevice(m.Type) {
		s = append(s, "ro") // the superblock as well, since the medium may be read-only
	}
	return s
}

// onDevice reports whether a file system has a superblock that has to be protected
// itself, rather than one that the kernel provides.
func onDevice(fsType string) bool {
	switch fsType {
	case "tmpfs", "proc", "sysfs", "mqueue", "devpts", "cgroup", "cgroup2", "bind", "":
		return false
	}
	return true
}

// placeOf decides where this mount may go: proc and sysfs only on a plain directory
// (CVE-2019-19921), on /proc nothing but a procfs (CVE-2019-16884), and below /proc only
// the files that specconv allows.
func placeOf(m *mount) program.Place {
	place := program.Place{OnLink: m.DestinationLink}
	switch {
	case m.Type == "proc":
		place.Ordinary, place.OnProc = true, true
	case m.Type == "sysfs":
		place.Ordinary = true
	case m.Destination == "/proc":
		place.Ordinary, place.OnProc, place.FromProc = true, true, true
	case strings.HasPrefix(m.Destination, "/proc/"):
		place.OnProc, place.NoLink, place.NoCreate = true, true, true
	case m.Type == "tmpfs" && !hasOption(m.Data, "mode"):
		place.Mode = true
	}
	return place
}

func hasOption(data []string, key string) bool {
	return slices.ContainsFunc(data, func(o string) bool {
		k, _, _ := strings.Cut(o, "=")
		return k == key
	})
}
