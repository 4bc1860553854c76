// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// mapIDs makes the detached mount f, or its whole tree, an idmapped mount
// (mount_setattr(2), Linux 5.12). This needs CAP_SYS_ADMIN in the user namespace that
// the file system was mounted in.
func mapIDs(m *mount, f *os.File, ns UserNamespaces) error {
	u, err := ns(m.IDMap)
	if err != nil {
		return err
	}
	defer u.Close()
	err = sys.MountSetattr(f, m.IDMap.Recursive, unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(u.Fd())})
	return IDMapError(m.Source, m.IDMap.Recursive, err)
}

// askMapped has the child ask the runtime to do what mapIDs does.
func (t *Tree) askMapped(p *program.Program, m *mount, src program.Slot) {
	p.Add(m.Field, program.IDMap{Mount: src, Index: m.index})
}

// MapAsked makes the detached mount f, which the child has sent for mount i, an
// idmapped mount.
func (t *Tree) MapAsked(i int64, f *os.File, ns UserNamespaces) error {
	if i < 0 || i >= int64(len(t.mounts)) || t.mounts[i].ids != mapAsked {
		return fmt.Errorf("handshake: the child asked for mount %d to be idmapped, which has no mappings", i)
	}
	m := &t.mounts[i]
	if err := mapIDs(m, f, ns); err != nil {
		return fmt.Errorf("%s: %w", m.Field, err)
	}
	return nil
}

// mapTree has the child do what mapIDs does.
func (t *Tree) mapTree(p *program.Program, m *mount, src program.Slot) {
	p.Add(m.Field, program.SetAttr{
		Mount: src, IDs: m.userNS, Attributes: program.Attributes{Set: unix.MOUNT_ATTR_IDMAP}, Tree: m.IDMap.Recursive,
		Source: m.Source, On: m.Destination, Because: m,
	})
}

// Explain finds out on the host why the source of a bind could not be cloned, or not
// be given its flags.
func (m *mount) Explain(e program.Entry, f wire.Message) error {
	o, ok := e.Operation.(program.SetAttr)
	if !ok {
		return hostPath(m.Source).Explain(e, f)
	}
	switch {
	case o.Set&unix.MOUNT_ATTR_IDMAP != 0:
		return fmt.Errorf("%s: %w", e.Field, IDMapError(m.Source, o.Tree, f.Errno))
	case f.Errno == unix.EPERM && o.Clears != "":
		if err := LockedError(m.Source, o.Clears); err != nil {
			return fmt.Errorf("%s.options: %w", e.Field, err)
		}
	}
	return nil
}

// hostPath is a path of the host whose mount is cloned.
type hostPath string

// Explain finds out whether its mount is unbindable.
func (s hostPath) Explain(e program.Entry, f wire.Message) error {
	if f.Errno != unix.EINVAL {
		return nil
	}
	return fmt.Errorf("%s: %s: %w", e.Field, e.What(), BindError(string(s), f.Errno))
}

// IDMapError explains why the mount of source, or with recursive one of its tree,
// could not be made an idmapped mount. It returns nil if err is nil.
func IDMapError(source string, recursive bool, err error) error {
	switch {
	case errors.Is(err, unix.EINVAL):
		also := ""
		if recursive {
			also = ", or one mounted below it,"
		}
		err = fmt.Errorf("the file system of %s (%s)%s does not support idmapped mounts: %w", source, fsType(source), also, err)
		return fault.Hint(fault.With(fault.NotSupported, err),
			"remove the mappings and the options idmap and ridmap, or copy the data to a file system such as ext4, xfs, btrfs or tmpfs")
	case errors.Is(err, unix.EPERM):
		return fault.Hint(fmt.Errorf("the mount of %s (%s) cannot be idmapped: %w", source, fsType(source), err),
			"CAP_SYS_ADMIN is required in the user namespace that mounted the file system, and the mount must not be idmapped already")
	}
	return err
}

// checkMapped refuses idmapped binds where the runtime lacks the privileges.
func (t *Tree) checkMapped() error {
	for i := range t.mounts {
		if m := &t.mounts[i]; m.ids == mapRefused {
			err := fmt.Errorf("%s: an ordinary user cannot idmap a mount of the host, such as that of %s (%s)", m.Field, m.Source, fsType(m.Source))
			return fault.Hint(fault.With(fault.NoPermission, err), "remove the mappings and the options idmap and ridmap")
		}
	}
	return nil
}

// fsType names the type of the file system that path is on.
func fsType(path string) string {
	m, err := mountOf(path)
	if err != nil {
		return "unknown file system"
	}
	return m.Type
}

// BindError explains why the mount of path cannot be cloned.
func BindError(path string, err error) error {
	if !errors.Is(err, unix.EINVAL) {
		return err
	}
	m, tableErr := mountOf(path)
	if tableErr != nil || !slices.Contains(strings.Fields(m.Propagation), "unbindable") {
		return err
	}
	return fault.Hint(err, fmt.Sprintf("the mount on %s is unbindable: mount --make-private %s", m.Point, m.Point))
}

// mountOf returns the mount that path is on.
func mountOf(path string) (proc.Mount, error) {
	id, err := sys.MountID(path)
	if err != nil {
		return proc.Mount{}, err
	}
	return sys.MountByID(id)
}

// lockable are the flags of a mount that can be locked: the option that clears one,
// its attribute, and how statfs(2) shows it.
var lockable = [...]struct {
	option string
	attr   uint64
	stat   int64
}{
	{"rw", unix.MOUNT_ATTR_RDONLY, unix.ST_RDONLY},
	{"suid", unix.MOUNT_ATTR_NOSUID, unix.ST_NOSUID},
	{"dev", unix.MOUNT_ATTR_NODEV, unix.ST_NODEV},
	{"exec", unix.MOUNT_ATTR_NOEXEC, unix.ST_NOEXEC},
	{"diratime", unix.MOUNT_ATTR_NODIRATIME, unix.ST_NODIRATIME},
	{"access time", unix.MOUNT_ATTR__ATIME, unix.ST_NOATIME | unix.ST_RELATIME},
}

// clearing names the options that clear the attributes, separated by commas.
func clearing(attrs uint64) string {
	var names []string
	for _, l := range lockable {
		if attrs&l.attr != 0 {
			names = append(names, l.option)
		}
	}
	return strings.Join(names, ",")
}

// Locked selects from options, in the form of clearing, those that would clear a flag
// which the mount of source has. A mount that comes from a more privileged mount
// namespace keeps its flags (mount_namespaces(7)).
func Locked(source, options string) string {
	var st unix.Statfs_t
	if unix.Statfs(source, &st) != nil {
		return ""
	}
	var names []string
	for _, o := range strings.Split(options, ",") {
		for _, l := range lockable {
			if l.option == o && int64(st.Flags)&l.stat != 0 {
				names = append(names, o)
			}
		}
	}
	return strings.Join(names, ", ")
}

// LockedError names the options that would clear a locked flag; it is nil if there
// are none.
func LockedError(source, options string) error {
	names := Locked(source, options)
	if names == "" {
		return nil
	}
	err := fmt.Errorf("%s: cannot clear a locked flag of the mount of %s: %w", names, source, unix.EPERM)
	return fault.Hint(err, "only the user who mounted it can clear the flag: remove the option")
}

// StaysReadonly is the warning that a bind with the option rw stays read-only.
func StaysReadonly(source string) string {
	return fmt.Sprintf("rw has no effect: the mount of %s is read-only, and only the user who mounted it can change that", source)
}

// refused explains why attributes could not be set.
func refused(m *mount, a *attr, err error) error {
	if errors.Is(err, unix.EPERM) {
		if locked := LockedError(m.Source, clearing(a.Attr_clr)); locked != nil {
			err = locked
		}
	}
	return fmt.Errorf("%s.options: %w", m.Field, err)
}
