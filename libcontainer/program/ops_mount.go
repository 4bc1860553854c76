// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// Attributes are the attributes of a mount, as mount_setattr(2) changes them.
type Attributes struct {
	Set, Clear  uint64 // MOUNT_ATTR_*
	Propagation uint64 // one of MS_SHARED, MS_SLAVE ..., or 0
}

func (a Attributes) numbers() [3]uint64 { return [3]uint64{a.Set, a.Clear, a.Propagation} }

// Propagate sets the propagation of a mount, by path.
type Propagate struct {
	Path        string
	Propagation uint64 // MS_*
	Tree        bool   // also of all mounts below it
}

// FSMount makes a new file system as a detached mount (fsopen(2), fsmount(2)).
type FSMount struct {
	Out          Slot
	Type, Source string
	Options      []string // "key=value" or "key"
	Set          uint64   // MOUNT_ATTR_*
	Label        string   // SELinux label of its root; empty: the kernel chooses one

	// HostTree is a path on the host. If the kernel refuses a new file system
	// (EPERM), the tree there is cloned, and HostAttr is applied to all its mounts.
	HostTree string
	HostAttr Attributes // Clear is ignored

	On string // for messages: the destination
}

// OpenTree opens or clones a mount (open_tree(2)).
type OpenTree struct {
	Out    Slot
	From   Slot   // directory that Path is relative to
	Path   string // with Found for messages only
	Flags  uint64 // of open_tree(2)
	InRoot bool   // From is the container's root, inside which Path is resolved
	Found  bool   // open what From itself is, and close From
	// Later: a source that cannot be cloned because its mount is unbindable is
	// deferred until Again.
	Later bool

	Source  string // for messages, if it is not Path
	Because Explainer
}

// Again runs each deferred OpenTree, and the SetAttr and IDMap operations that
// follow it on the same slot. By then the child has its own mount namespace.
type Again struct{}

// SetAttr sets attributes of a mount (mount_setattr(2)).
type SetAttr struct {
	Mount Slot
	Attributes
	IDs  Slot // user namespace, with MOUNT_ATTR_IDMAP
	Tree bool // for all mounts of the tree
	Try  bool // a refusal is not an error
	Keep bool // a locked read-only flag stays set, and the runtime is told so

	// For messages: the source of the clone, the options that Clear stands for, and
	// the destination.
	Source, Clears, On string
	Because            Explainer
}

// IDMap asks the runtime to turn a detached mount into an idmapped mount.
type IDMap struct {
	Mount Slot
	Index int // its index in the runtime's list of mounts
}

// Attach attaches a mount.
type Attach struct {
	Mount       Slot
	Root        Slot   // NoSlot: Destination is a path on the host, empty for the working directory
	Destination string // path in Root
	Place
	CopyUp bool // copy what the mount hides into it first
}

// Place says where a mount may be attached.
type Place struct {
	Ordinary bool // the destination must be a plain directory, and its path without symlinks (proc, sysfs)
	OnProc   bool // the destination may be on a procfs
	NoCreate bool // the destination must exist
	FromProc bool // the mount must be a procfs: a bind onto /proc itself
	Mode     bool // the mount gets the mode of the directory that it hides (tmpfs)
	NoLink   bool // no symlink on the way to the destination
	OnLink   bool // a symlink at the destination is mounted on, not followed
}

func (p Place) flags() uint32 {
	return when(p.Ordinary, attachOrdinary) | when(p.OnProc, attachOnProc) | when(p.NoCreate, attachNoCreate) | when(p.FromProc, attachFromProc) |
		when(p.Mode, attachMode) | when(p.NoLink, attachNoLink) | when(p.OnLink, attachOnLink)
}

// Mount2 does what FSMount does, by mount(2), for options that fsconfig(2) cannot express.
type Mount2 struct {
	Out, Root    Slot
	Type, Source string
	Options      string
	Flags        uint64 // MS_*

	On string // for messages: the destination
}

// Remount changes an existing mount and its file system.
type Remount struct {
	Mount Slot
	Root  Slot   // NoSlot: Mount is open already; else what is mounted at Path is opened into it
	Path  string // in Root
	// Options of the file system; nil: it is not changed.
	Options []string
	Attributes
	Tree bool // set the attributes of all mounts of the tree
}

// Unmount unmounts a mount.
type Unmount struct {
	Mount, Proc Slot   // Proc is the host's /proc
	Path        string // for messages only
	Try         bool   // it is not an error if the mount is not attached
}

// WorkDir changes the working directory.
type WorkDir struct {
	Directory Slot
	Path      string // on the host; for messages only if Directory is set
}

// Pivot changes the root by pivot_root(2), and detaches the old root.
type Pivot struct{ Root Slot }

// MoveRoot changes the root by MS_MOVE and chroot(2).
type MoveRoot struct{ Root Slot }

// Chroot changes the root by chroot(2).
type Chroot struct{ Root Slot }

// Mask hides a path of the container by a mount on it.
type Mask struct {
	Null    Slot // a detached mount of a null device, to cover a file with
	Root    Slot
	Path    string
	Options []string // of the tmpfs that covers a directory
}

// Readonly makes a path of the container read-only.
type Readonly struct {
	Root Slot
	Path string
}

func (o Propagate) code() code {
	return code{kind: kindPropagate, s: []string{o.Path}, n: [3]uint64{o.Propagation}, flags: when(o.Tree, propagateTree)}
}

func (o FSMount) code() code {
	c := code{kind: kindFSMount, a: o.Out, n: [3]uint64{o.Set}}
	c.s = append(make([]string, 0, 3+len(o.Options)), o.Type, o.Source)
	c.s = append(c.s, o.Options...)
	if o.Label != "" {
		c.s, c.flags = append(c.s, o.Label), fsMountLabel
	}
	if o.HostTree != "" {
		c.data, c.n[1], c.n[2] = append([]byte(o.HostTree), 0), o.HostAttr.Set, o.HostAttr.Propagation
	}
	return c
}

func (o OpenTree) code() code {
	c := code{kind: kindOpenTree, a: o.Out, b: o.From, n: [3]uint64{o.Flags}, flags: when(o.InRoot, openInRoot) | when(o.Found, openFound) | when(o.Later, openLater)}
	switch {
	case o.Found:
		c.words = []string{o.Path}
	case o.InRoot:
		c.words, c.s = []string{o.Source}, []string{o.Path}
	default:
		c.s = []string{o.Path}
	}
	return c
}

func (Again) code() code { return code{kind: kindAgain} }

func (o SetAttr) code() code {
	c := code{kind: kindSetAttr, a: o.Mount, b: o.IDs, n: o.numbers(), flags: when(o.Tree, setAttrTree) | when(o.Try, setAttrTry) | when(o.Keep, setAttrKeep)}
	switch {
	case o.Source == "":
	case o.Clear != 0:
		c.words = []string{o.Source, o.Clears}
	case o.Set&unix.MOUNT_ATTR_IDMAP != 0 && o.Tree:
		c.words = []string{o.Source, "recursive"}
	case o.Set&unix.MOUNT_ATTR_IDMAP != 0:
		c.words = []string{o.Source}
	}
	return c
}

func (o IDMap) code() code { return code{kind: kindIDMap, a: o.Mount, n: [3]uint64{uint64(o.Index)}} }

func (o Attach) code() code {
	c := code{kind: kindAttach, a: o.Mount, b: o.Root, s: []string{o.Destination}, flags: o.flags()}
	if o.CopyUp {
		c.kind = kindCopyUp
	}
	return c
}

func (o Mount2) code() code {
	return code{kind: kindMount, a: o.Out, b: o.Root, s: []string{o.Type, o.Source, o.Options}, n: [3]uint64{o.Flags}}
}

func (o Remount) code() code {
	return code{kind: kindRemount, a: o.Mount, b: o.Root, s: append([]string{o.Path}, o.Options...), n: o.numbers(), flags: when(o.Tree, setAttrTree)}
}

func (o Unmount) code() code {
	return code{kind: kindUnmount, a: o.Mount, b: o.Proc, words: []string{o.Path}, flags: when(o.Try, optional)}
}

func (o WorkDir) code() code {
	if o.Directory != NoSlot {
		c := code{kind: kindWorkDir, a: o.Directory}
		if o.Path != "" {
			c.words = []string{o.Path}
		}
		return c
	}
	return code{kind: kindWorkDir, s: []string{o.Path}}
}

func (o Pivot) code() code    { return code{kind: kindPivot, a: o.Root} }
func (o MoveRoot) code() code { return code{kind: kindMoveRoot, a: o.Root} }
func (o Chroot) code() code   { return code{kind: kindChroot, a: o.Root} }

func (o Mask) code() code {
	return code{kind: kindMask, a: o.Null, b: o.Root, s: append([]string{o.Path}, o.Options...)}
}

func (o Readonly) code() code { return code{kind: kindReadonly, b: o.Root, s: []string{o.Path}} }

func (o Propagate) what() string { return "set the propagation of " + o.Path }
func (o FSMount) what() string   { return "mount " + o.about() }
func (o OpenTree) what() string  { return "open the source " + o.about() }
func (Again) what() string       { return "open the remaining mount sources" }
func (IDMap) what() string       { return "create an idmapped mount" }
func (o Mount2) what() string    { return "mount " + o.about() }
func (o Remount) what() string   { return "remount " + o.about() }
func (o Unmount) what() string   { return "unmount " + o.Path }
func (o WorkDir) what() string   { return "change directory to " + o.Path }
func (Pivot) what() string       { return "pivot_root" }
func (MoveRoot) what() string    { return "move the root mount" }
func (Chroot) what() string      { return "change the root directory" }
func (o Mask) what() string      { return "mask " + o.Path }
func (o Readonly) what() string  { return "make " + o.Path + " read-only" }

func (o SetAttr) what() string {
	if o.On != "" {
		return "set the attributes of the mount on " + o.On
	}
	return "set mount attributes"
}

func (o Attach) what() string {
	if o.CopyUp {
		return "mount on " + o.Destination + " with a copy of its content"
	}
	return "mount on " + o.Destination
}

func (o FSMount) about() string  { return fileSystem(o.Type, o.On, o.Options...) }
func (o Mount2) about() string   { return fileSystem(o.Type, o.On, o.Options) }
func (o OpenTree) about() string { return or(o.Source, o.Path) }
func (o SetAttr) about() string  { return o.On }
func (o Remount) about() string  { return o.Path + optionList(o.Options) }

func fileSystem(fsType, on string, options ...string) string {
	if on == "" {
		return fsType
	}
	return fsType + " on " + on + optionList(options)
}

// optionList formats options for a message, in parentheses. It leaves out secrets,
// and cuts a long list off.
func optionList(options []string) string {
	const most = 240
	var shown []string
	for _, o := range options {
		for part := range strings.SplitSeq(o, ",") {
			if key, _, ok := strings.Cut(part, "="); ok && secret(key) {
				part = key + "=..."
			}
			shown = append(shown, part)
		}
	}
	list := strings.Join(shown, ",")
	if list == "" {
		return ""
	}
	if len(list) > most {
		list = strings.ToValidUTF8(list[:most], "") + "..."
	}
	return " (" + list + ")"
}

// secret reports whether the value of an option is confidential: a password of
// cifs, a key of ceph.
func secret(key string) bool {
	switch key {
	case "pass", "password", "password2", "secret":
		return true
	}
	return false
}

func or(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

func (FSMount) hint(f wire.Message) string {
	switch f.Errno {
	case unix.ENODEV:
		return " (the kernel does not support this file system, or its module is not loaded)"
	case unix.EPERM:
		return " (in a user namespace, mqueue requires a new ipc namespace, sysfs a new network, proc a new pid and cgroup a new cgroup namespace)"
	}
	return ""
}

func (o SetAttr) hint(f wire.Message) string {
	if f.Errno == unix.EINVAL && o.Set&unix.MOUNT_ATTR_IDMAP != 0 {
		return " (this file system does not support idmapped mounts)"
	}
	return ""
}

func (Remount) hint(f wire.Message) string {
	return ifErrno(f, unix.EPERM, " (the options clear a flag that is locked, because the mount comes from outside the user namespace)")
}

func (Pivot) hint(f wire.Message) string {
	return ifErrno(f, unix.EINVAL, " (if the host's root file system is a ramdisk, use --no-pivot)")
}

// explain names the mount of the host that is in the way.
func (o MoveRoot) explain(field string, f wire.Message) error {
	if f.Detail != wire.Where {
		return nil
	}
	return at(field, fmt.Errorf("%s: the host's mount on %s can neither be removed nor hidden: %w", o.what(), f.Text, f.Errno))
}
