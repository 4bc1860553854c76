// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// Warn is called with problems that do not stop the launch.
type Warn func(format string, args ...any)

// UserNamespaces returns a user namespace with the id mappings of a mount; each call
// returns a new descriptor.
type UserNamespaces func(m *plan.IDMap) (*os.File, error)

// Open opens what [New] reserved slots for, in the order of the slots: user
// namespaces for mounts that the child maps, the root, the host's /dev/null,
// device nodes, the sources of binds. The caller closes them; on error none stays
// open.
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
		if m := &t.mounts[i]; m.ids == mapByChild {
			f, err := ns(m.IDMap)
			if err != nil {
				return files, fmt.Errorf("%s: %w", m.Field, err)
			}
			files = append(files, f)
		}
	}
	if t.rootAt != never {
		if err := t.checkRoot(); err != nil {
			return files, err
		}
	}
	if err := t.checkMapped(); err != nil {
		return files, err
	}
	if t.rootAt == atOpen {
		root, err := t.openRoot()
		if err != nil {
			return files, err
		}
		files = append(files, root)
	}
	if t.nullAt == atOpen {
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

// openSources appends the sources that the runtime clones.
func (t *Tree) openSources(files []*os.File, ns UserNamespaces, warn Warn) ([]*os.File, error) {
	for i := range t.mounts {
		if m := &t.mounts[i]; m.when == atOpen {
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
		return fault.Hint(fault.New(fault.InvalidConfig, "root.path: "+t.plan.Path+" must not be a symlink"), "use the directory that it points to")
	case !st.IsDir():
		return fault.New(fault.InvalidConfig, "root.path: "+t.plan.Path+" is not a directory")
	}
	return nil
}

func (t *Tree) openRoot() (*os.File, error) {
	f, err := sys.OpenTree(t.plan.Path, unix.AT_RECURSIVE)
	if errors.Is(err, unix.EINVAL) && t.NewMounts {
		return nil, ErrRootByChild
	}
	if err != nil {
		return nil, fmt.Errorf("root.path: %w", BindError(t.plan.Path, err))
	}
	if err := sys.MountSetattr(f, true, unix.MountAttr{Propagation: t.base}); err != nil {
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

// openNode clones the host's node of a device. A FIFO needs none, since anybody may
// make one; its descriptor only fills the slot.
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
		return nil, fault.Hint(fmt.Errorf("%s: %w", field, err), "in a user namespace, the host's device node is used")
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
	for _, a := range m.attrs {
		if err := setAttr(m, f, a, warn); err != nil {
			f.Close()
			return nil, err
		}
	}
	if m.ids == mapByRuntime {
		if err := mapIDs(m, f, ns); err != nil {
			f.Close()
			return nil, fmt.Errorf("%s: %w", m.Field, err)
		}
	}
	return f, nil
}

// setAttr does in the runtime what program.SetAttr does in the child.
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
