package rootfs

import (
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/program"
	"golang.org/x/sys/unix"
)

// mount adds the operations of one mount. Its way to the system call: here,
// then bind or one of the three functions below, then the operations of child/mount.c.
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

// newFS makes a new file system, detached.
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

// fsopen makes a file system by fsopen(2), with attributes.
func (t *Tree) fsopen(p *program.Program, m *mount, set uint64) {
	op := program.FSMount{Out: m.slot, Type: m.Type, Source: m.Source, Options: append(parameters(m), t.label(m)...), Set: set, Label: t.rootLabel(m), On: m.Destination}
	if m.borrows {
		if op.HostTree, op.HostAttr.Set = hostTree(m.Type, set); op.HostTree != "" {
			op.HostAttr.Propagation = t.base
		}
	}
	p.Add(m.Field, op)
}

// fsmount attaches a new file system, which is made now if that has not been done.
func (t *Tree) fsmount(p *program.Program, m *mount) {
	if m.when == inTurn {
		t.newFS(p, m)
	}
	p.Add(m.Field, program.Attach{Mount: m.slot, Root: t.Root, Destination: m.Destination, Place: m.place, CopyUp: m.CopyUp})
	t.propagate(p, m, m.slot)
}

// label is the option that has SELinux take all files of a new mount for ones
// with linux.mountLabel; empty for those file systems that give their files
// labels themselves, and where config.json has an option of its own.
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

// rootLabel is the SELinux label of the root of an mqueue, which takes no option: the container's program could
// make no queue in it else. Empty for others.
func (t *Tree) rootLabel(m *mount) string {
	if m.Type != "mqueue" {
		return ""
	}
	_, label, _ := strings.Cut(t.plan.MountLabel, "=")
	return label
}

// quoted are options for mount(2), where a comma ends one that is not quoted.
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

// unquoted is an option for fsconfig(2), where the value of a context has no
// quotes: others may have some of their own.
func unquoted(option string) string {
	key, value, _ := strings.Cut(option, "=")
	if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' && isContext(option) {
		return key + "=" + value[1:n-1]
	}
	return option
}

// hostTree is the place on the host of a file system of which a user namespace
// may have no new mount: sysfs belongs to a network namespace, proc to a pid
// namespace, mqueue to an ipc namespace, and what is covered on the host must
// stay covered. The host's own tree is bound then, with the given attributes.
// All of sysfs is read-only: cgroups are below it (CVE-2023-25809).
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

// mount2 makes a file system by mount(2), see needsMount2, and then gives its
// mount the attributes.
func (t *Tree) mount2(p *program.Program, m *mount, set uint64) {
	flags := m.SuperSet
	if set&m.AttrSet&unix.MOUNT_ATTR_RDONLY != 0 {
		flags |= unix.MS_RDONLY
	}
	options := strings.Join(slices.Concat(m.Data, quoted(t.label(m))), ",")
	p.Add(m.Field, program.Mount2{Out: m.slot, Root: t.Root, Type: m.Type, Source: m.Source, Options: options, Flags: flags, On: m.Destination})
	p.Add(m.Field, program.SetAttr{Mount: m.slot, Attributes: program.Attributes{Set: set, Clear: unix.MOUNT_ATTR__ATIME}, On: m.Destination})
}

// remount changes what is mounted at the destination: the file system and its
// mount, with bind the mount alone (mount(8)). Others may share a volume that the
// destination is in, and exchange names there: so a mount of the list is known
// by its descriptor, and any other is looked up once.
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

// standing is the mount of the list that stands at the destination of remount i
// when its turn comes; -1 if none has been made there, or another one covers it
// since.
func standing(mounts []mount, i int) int {
	at, m := -1, &mounts[i]
	for j := range mounts[:i] {
		o := &mounts[j]
		switch {
		case o.way == change:
		case o.Destination == m.Destination && o.way == link:
			at = -1
		case o.Destination == m.Destination:
			at = j
		case strings.HasPrefix(m.Destination, strings.TrimSuffix(o.Destination, "/")+"/"):
			at = -1
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

// needsMount2 reports whether there is something that fsconfig(2) cannot say: i_version, which has no name
// there, strings of 256 bytes and more (overlay's lowerdir), and those with a
// comma that the file system is to find itself.
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

// parameters are the file system's options, with the superblock flags that
// have a name there.
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
		s = append(s, "ro") // the superblock as well: the medium may be read-only
	}
	return s
}

// onDevice reports whether a file system has a superblock of its own to protect,
// and not one that the kernel shares between mounts.
func onDevice(fsType string) bool {
	switch fsType {
	case "tmpfs", "proc", "sysfs", "mqueue", "devpts", "cgroup", "cgroup2", "bind", "":
		return false
	}
	return true
}

// placeOf says where this mount may go. proc and sysfs only on a plain
// directory (CVE-2019-19921); on /proc nothing but a procfs (CVE-2019-16884),
// below it only the files that specconv lets through.
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
