package rootfs

import (
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// mount adds the operations of one mount. Its way to the system call: here,
// then bind or one of the three functions below, then the operations of child/mount.c.
func (t *Tree) mount(p *plan.Program, m *mount) {
	switch {
	case m.way == copied:
		p.Add(plan.Op{Kind: plan.OpSymlink, B: t.Root, S: []string{m.target, m.Destination}, Flags: plan.SymlinkSame, Field: m.Field})
	case m.Remount:
		t.remount(p, m)
	case m.Bind:
		t.bind(p, m)
	default:
		t.fsmount(p, m)
	}
	for _, l := range m.links {
		p.Add(plan.Op{Kind: plan.OpSymlink, B: m.slot, S: l[:], Field: m.Field})
	}
	if t.tight && m.way != copied && !m.Remount && !waits(m) && !t.isRemounted(m) {
		p.Add(plan.Op{Kind: plan.OpClose, A: m.slot})
	}
}

func (t *Tree) isRemounted(m *mount) bool {
	_, found := slices.BinarySearch(t.remounted, m.Destination)
	return found
}

// newFS makes a new file system, detached.
func (t *Tree) newFS(p *plan.Program, m *mount) {
	m.made = true
	set := m.AttrSet | m.RecAttrSet
	if waits(m) {
		set &^= unix.MOUNT_ATTR_RDONLY
		t.late = append(t.late, plan.Op{Kind: plan.OpSetAttr, A: m.slot, N: [3]uint64{unix.MOUNT_ATTR_RDONLY}, Field: m.Field})
	}
	if needsMount2(m) {
		t.mount2(p, m, set)
	} else {
		t.fsopen(p, m, set)
	}
	switch {
	case m.ids != plan.NoSlot:
		p.Add(plan.Op{Kind: plan.OpSetAttr, A: m.slot, B: m.ids, N: [3]uint64{unix.MOUNT_ATTR_IDMAP}, Field: m.Field})
	case t.mapsAsked(m):
		t.askMapped(p, m, m.slot)
	}
}

// fsopen makes a file system by fsopen(2), with attributes.
func (t *Tree) fsopen(p *plan.Program, m *mount, set uint64) {
	op := p.Add(plan.Op{Kind: plan.OpFsMount, A: m.slot, S: slices.Concat([]string{m.Type, m.Source}, parameters(m), t.label(m)), N: [3]uint64{set}, Field: m.Field})
	if label := t.rootLabel(m); label != "" {
		op.S, op.Flags = append(op.S, label), plan.FsMountLabel
	}
	if t.UserNS || t.Inside {
		if op.Data, op.N[1] = hostTree(m.Type, set); op.Data != nil {
			op.N[2] = t.base()
		}
	}
}

// fsmount attaches a new file system, which is made now if it was not yet.
func (t *Tree) fsmount(p *plan.Program, m *mount) {
	if !m.made {
		t.newFS(p, m)
	}
	kind := plan.OpAttach
	if m.CopyUp {
		kind = plan.OpCopyUp
	}
	p.Add(plan.Op{Kind: kind, A: m.slot, B: t.Root, S: []string{m.Destination}, Flags: attachFlags(m), Field: m.Field})
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
func hostTree(fsType string, attr uint64) (path []byte, attrs uint64) {
	switch fsType {
	case "proc":
		return []byte("/proc\x00"), attr
	case "sysfs":
		return []byte("/sys\x00"), attr | unix.MOUNT_ATTR_RDONLY
	case "mqueue":
		return []byte("/dev/mqueue\x00"), attr
	}
	return nil, 0
}

// mount2 makes a file system by mount(2), see needsMount2, and then gives its
// mount the attributes.
func (t *Tree) mount2(p *plan.Program, m *mount, set uint64) {
	flags := m.SuperSet
	if set&m.AttrSet&unix.MOUNT_ATTR_RDONLY != 0 {
		flags |= unix.MS_RDONLY
	}
	s := []string{m.Type, m.Source, strings.Join(slices.Concat(m.Data, quoted(t.label(m))), ",")}
	p.Add(plan.Op{Kind: plan.OpMount, A: m.slot, B: t.Root, S: s, N: [3]uint64{flags}, Field: m.Field})
	p.Add(plan.Op{Kind: plan.OpSetAttr, A: m.slot, N: [3]uint64{set, unix.MOUNT_ATTR__ATIME}, Field: m.Field})
}

// remount changes what is mounted at the destination: the file system and its
// mount, with bind the mount alone (mount(8)). Others may share a volume that the
// destination is in, and exchange names there: so a mount of the list is known
// by its descriptor, and any other is looked up once.
func (t *Tree) remount(p *plan.Program, m *mount) {
	root := plan.NoSlot
	at := standing(t.mounts, m)
	if at == plan.NoSlot {
		root, at = t.Root, p.NewSlot()
	}
	add := func(flags uint32, options []string, n ...uint64) {
		op := p.Add(plan.Op{Kind: plan.OpRemount, A: at, B: root, S: append([]string{m.Destination}, options...), Flags: flags, Field: m.Field})
		copy(op.N[:], n)
		root = plan.NoSlot
	}
	if m.RecAttrSet|m.RecAttrClear != 0 {
		add(1, nil, m.RecAttrSet, m.RecAttrClear)
	}
	var options []string
	if !m.Bind {
		options = parameters(m)
	}
	add(0, options, m.AttrSet, m.AttrClear)
	for _, n := range m.Propagation {
		add(recursive(n), nil, 0, 0, n&^unix.MS_REC)
	}
	if t.tight && standing(t.mounts, m) == plan.NoSlot {
		p.Add(plan.Op{Kind: plan.OpClose, A: at})
	}
}

// standing is the slot of the mount that stands at the destination of m, one of
// mounts, when its turn comes; NoSlot if none of the list has been made there, or
// another one covers it since.
func standing(mounts []mount, m *mount) plan.Slot {
	at := plan.NoSlot
	for i := range mounts {
		o := &mounts[i]
		switch {
		case o == m:
			return at
		case o.Remount:
		case o.Destination == m.Destination:
			at = o.slot
		case strings.HasPrefix(m.Destination, strings.TrimSuffix(o.Destination, "/")+"/"):
			at = plan.NoSlot
		}
	}
	return at
}

// propagate adds the propagation flags of a mount that has been attached.
func (t *Tree) propagate(p *plan.Program, m *mount, fs plan.Slot) {
	for _, n := range m.Propagation {
		p.Add(plan.Op{Kind: plan.OpSetAttr, A: fs, N: [3]uint64{0, 0, n &^ unix.MS_REC}, Flags: recursive(n), Field: m.Field})
	}
}

// needsMount2 tells what fsconfig(2) cannot say: i_version, which has no name
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

// waits tells whether a read-only mount has to stay writable until everything
// below it is made.
func waits(m *mount) bool {
	return m.Type == "tmpfs" && (m.AttrSet|m.RecAttrSet)&unix.MOUNT_ATTR_RDONLY != 0
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

// onDevice tells that a file system has a superblock of its own to protect,
// and not one that the kernel shares between mounts.
func onDevice(fsType string) bool {
	switch fsType {
	case "tmpfs", "proc", "sysfs", "mqueue", "devpts", "cgroup", "cgroup2", "bind", "":
		return false
	}
	return true
}

// attachFlags says where this mount may go. proc and sysfs only on a plain
// directory (CVE-2019-19921); on /proc nothing but a procfs (CVE-2019-16884),
// below it only the files that specconv lets through.
func attachFlags(m *mount) (flags uint32) {
	if m.DestinationLink {
		flags = plan.AttachOnLink
	}
	return flags | placeFlags(m)
}

func placeFlags(m *mount) uint32 {
	switch {
	case m.Type == "proc":
		return plan.AttachOrdinary | plan.AttachOnProc
	case m.Type == "sysfs":
		return plan.AttachOrdinary
	case m.Destination == "/proc":
		return plan.AttachOrdinary | plan.AttachOnProc | plan.AttachFromProc
	case strings.HasPrefix(m.Destination, "/proc/"):
		return plan.AttachOnProc | plan.AttachNoLink | plan.AttachNoCreate
	case m.Type == "tmpfs" && !hasOption(m.Data, "mode"):
		return plan.AttachMode
	}
	return 0
}

func hasOption(data []string, key string) bool {
	return slices.ContainsFunc(data, func(o string) bool {
		k, _, _ := strings.Cut(o, "=")
		return k == key
	})
}
