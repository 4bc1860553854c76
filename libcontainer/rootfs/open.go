package rootfs

import (
	"errors"
	"fmt"
	"os"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// attr is one mount_setattr call.
type attr struct {
	unix.MountAttr
	recursive bool
	try       bool // to be refused is no error
}

// operation is the one that makes the call.
func (a *attr) operation(m *mount, src program.Slot) program.SetAttr {
	op := program.SetAttr{
		Mount: src, Attributes: program.Attributes{Set: a.Attr_set, Clear: a.Attr_clr, Propagation: a.Propagation},
		Tree: a.recursive, Try: a.try, Keep: a.makesWritable(), Source: m.Source, On: m.Destination, Because: m,
	}
	if clr := a.Attr_clr; clr != 0 {
		if op.Keep {
			clr &^= unix.MOUNT_ATTR_RDONLY
		}
		op.Clears = clearing(clr)
	}
	return op
}

// makesWritable reports whether the call takes the read-only flag off a bind,
// which is no error where it is locked: engines add rw themselves.
func (a *attr) makesWritable() bool {
	return !a.recursive && !a.try && a.Attr_clr&unix.MOUNT_ATTR_RDONLY != 0
}

// attributes are the calls that give a bind's clone its flags: first the base
// propagation, so that it is no longer a peer of the host's mount, then what
// the options say. The options' own propagation can be left for later.
func (t *Tree) attributes(m *mount, propagation bool) []attr {
	var as []attr
	var has uint64 // the propagation that all of the clone is known to have
	if m.way == found {
		has = unix.MS_SLAVE // or private, if there is no master; see Attach
	}
	base := t.base()
	if propagation && cutsOff(m) {
		base = m.Propagation[0] &^ unix.MS_REC
	}
	if !t.keepsPropagation() && has != base {
		has = base
		as = append(as, attr{MountAttr: unix.MountAttr{Propagation: has}, recursive: m.Recursive})
	}
	clr, try := t.unnamed(m)
	clr |= m.AttrClear
	if m.AttrSet|clr != 0 {
		if a := len(as) - 1; a >= 0 && !m.Recursive {
			as[a].Attr_set, as[a].Attr_clr = m.AttrSet, clr
		} else {
			as = append(as, attr{MountAttr: unix.MountAttr{Attr_set: m.AttrSet, Attr_clr: clr}})
		}
	}
	if try != 0 {
		as = append(as, attr{MountAttr: unix.MountAttr{Attr_clr: try}, try: true})
	}
	if m.RecAttrSet|m.RecAttrClear != 0 {
		as = append(as, attr{MountAttr: unix.MountAttr{Attr_set: m.RecAttrSet, Attr_clr: m.RecAttrClear}, recursive: true})
	}
	for _, n := range m.Propagation {
		if !propagation {
			break
		}
		kind, recursive := n&^unix.MS_REC, n&unix.MS_REC != 0
		if kind == has {
			continue
		}
		as = append(as, attr{MountAttr: unix.MountAttr{Propagation: kind}, recursive: recursive})
		has = 0
	}
	return as
}

// unnamed are the flags of its source that a bind is to lose since no option
// names them: those to clear, and those to try. The source's flags are locked for
// a container with a user namespace of its own, and stay, also where the runtime
// could clear them; nosymfollow is never locked. In the runtime's own user
// namespace they are locked if the mount has come from outside.
func (t *Tree) unnamed(m *mount) (clr, try uint64) {
	switch {
	case t.UserNS || t.ByChild:
		return m.AttrUnnamed & unix.MOUNT_ATTR_NOSYMFOLLOW, 0
	case t.Inside:
		return 0, m.AttrUnnamed
	}
	return m.AttrUnnamed, 0
}

// cutsOff tells that the first propagation that the options name ends the
// clone's being a peer, as the base propagation does.
func cutsOff(m *mount) bool {
	if len(m.Propagation) == 0 {
		return false
	}
	n := m.Propagation[0]
	return n&(unix.MS_PRIVATE|unix.MS_UNBINDABLE) != 0 && (n&unix.MS_REC != 0 || !m.Recursive)
}

// Warn is told of what does not stop the launch.
type Warn func(format string, args ...any)

// UserNamespaces gives user namespaces with the mappings of mounts, each a
// descriptor of its own.
type UserNamespaces func(m *plan.IDMap) (*os.File, error)

// Open opens what [New] reserved slots for, in the order of the slots: user
// namespaces for mounts that the child maps, the root, the host's /dev/null,
// device nodes, the sources of binds. The caller closes them; on error nothing
// stays open.
func (t *Tree) Open(ns UserNamespaces, warn Warn) (files []*os.File, err error) {
	defer func() {
		if err != nil {
			for _, f := range files {
				f.Close()
			}
			files = nil
		}
	}()
	for i := range t.mounts {
		if m := &t.mounts[i]; m.ids != program.NoSlot {
			f, err := ns(m.IDMap)
			if err != nil {
				return files, fmt.Errorf("%s: %w", m.Field, err)
			}
			files = append(files, f)
		}
	}
	if t.added {
		return t.openAdded(files, ns, warn)
	}
	if err := t.checkRoot(); err != nil {
		return files, err
	}
	if t.ByChild {
		return files, t.checkMapped()
	}
	root, err := t.openRoot()
	if err != nil {
		return files, err
	}
	if root != nil {
		files = append(files, root)
	}
	if t.null != program.NoSlot && !t.findsNull() {
		null, err := openNull()
		if err != nil {
			return files, err
		}
		files = append(files, null)
	}
	for i := range t.nodes {
		f, err := openNode(&t.plan.Devices[i])
		if err != nil {
			return files, err
		}
		files = append(files, f)
	}
	return t.openSources(files, ns, warn)
}

// openSources appends the sources that are cloned ahead.
func (t *Tree) openSources(files []*os.File, ns UserNamespaces, warn Warn) ([]*os.File, error) {
	for i := range t.mounts {
		if m := &t.mounts[i]; m.way == ahead {
			f, err := t.openSource(m, ns, warn)
			if err != nil {
				return files, err
			}
			files = append(files, f)
		}
	}
	return files, nil
}

func (t *Tree) checkRoot() error {
	st, err := os.Lstat(t.plan.Path)
	switch {
	case err != nil:
		return fmt.Errorf("root.path: %w", err)
	case st.Mode()&os.ModeSymlink != 0:
		return fmt.Errorf("root.path: %s is a symlink; give the directory itself", t.plan.Path)
	case !st.IsDir():
		return fmt.Errorf("root.path: %s is not a directory", t.plan.Path)
	}
	return nil
}

// openRoot opens the root, unless the child does.
func (t *Tree) openRoot() (*os.File, error) {
	if t.RootByChild {
		return nil, nil
	}
	f, err := sys.OpenTree(t.plan.Path, unix.AT_RECURSIVE)
	if errors.Is(err, unix.EINVAL) && t.NewMounts {
		return nil, ErrRootByChild
	}
	if err != nil {
		return nil, fmt.Errorf("root.path: %w", BindError(t.plan.Path, err))
	}
	if err := sys.MountSetattr(f, true, unix.MountAttr{Propagation: t.base()}); err != nil {
		f.Close()
		return nil, fmt.Errorf("root.path: %w", err)
	}
	return f, nil
}

func openNull() (*os.File, error) {
	null, err := sys.CloneNode("/dev/null", unix.S_IFCHR, unix.Mkdev(1, 3))
	if err != nil {
		return nil, fmt.Errorf("linux.maskedPaths: %w", err)
	}
	return null, nil
}

// openNode clones the host's node of a device: a FIFO, which anybody
// may make, needs none.
func openNode(d *plan.Device) (*os.File, error) {
	field := d.Field
	if field == "" {
		field = "default device " + d.Path
	}
	if d.Mode&unix.S_IFMT == unix.S_IFIFO {
		return sys.OpenPath("/", 0)
	}
	node, err := sys.CloneNode(d.Path, d.Mode&unix.S_IFMT, unix.Mkdev(d.Major, d.Minor))
	if err != nil {
		return nil, fmt.Errorf("%s: %w (in a user namespace the host's node is used)", field, err)
	}
	return node, nil
}

func (t *Tree) openSource(m *mount, ns UserNamespaces, warn Warn) (*os.File, error) {
	flags := uint(noFollow(m))
	if m.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	f, err := sys.OpenTree(m.Source, flags)
	if err != nil {
		return nil, fmt.Errorf("%s.source: %w", m.Field, BindError(m.Source, err))
	}
	for _, a := range t.attributes(m, !t.stages) {
		if err := setAttr(m, f, a, warn); err != nil {
			f.Close()
			return nil, err
		}
	}
	if m.IDMap != nil {
		if err := mapIDs(m, f, ns); err != nil {
			f.Close()
			return nil, fmt.Errorf("%s: %w", m.Field, err)
		}
	}
	return f, nil
}

// setAttr does what OpSetAttr does.
func setAttr(m *mount, f *os.File, a attr, warn Warn) error {
	err := sys.MountSetattr(f, a.recursive, a.MountAttr)
	if errors.Is(err, unix.EPERM) && a.makesWritable() {
		a.Attr_clr &^= unix.MOUNT_ATTR_RDONLY
		if err = sys.MountSetattr(f, false, a.MountAttr); err == nil {
			warn("%s.options: %s", m.Field, StaysReadonly(m.Source))
		}
	}
	if err == nil || a.try && errors.Is(err, unix.EPERM) {
		return nil
	}
	return refused(m, &a, err)
}
