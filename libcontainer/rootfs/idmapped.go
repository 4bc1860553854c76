package rootfs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

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
		return fmt.Errorf("handshake: mount %d is not to be idmapped", i)
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
			also = ", or one mounted below it"
		}
		return fmt.Errorf("the file system of %s (%s)%s cannot be idmapped: %w (give up the mapping and the options idmap and ridmap, or copy the data to a file system like ext4, xfs, btrfs or tmpfs)",
			source, fsType(source), also, err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("the mount of %s (%s) cannot be idmapped: %w (CAP_SYS_ADMIN is needed where the file system was mounted, and the mount must not be idmapped already)",
			source, fsType(source), err)
	}
	return err
}

// checkMapped refuses idmapped binds where the runtime lacks the privileges.
func (t *Tree) checkMapped() error {
	for i := range t.mounts {
		if m := &t.mounts[i]; m.ids == mapRefused {
			return fmt.Errorf("%s: an ordinary user cannot idmap a mount of the host's: %s is %s, and CAP_SYS_ADMIN is needed where that was mounted (give up the mapping and the options idmap and ridmap)",
				m.Field, m.Source, fsType(m.Source))
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
	return fmt.Errorf("%w (the mount on %s is unbindable: mount --make-private %s)", err, m.Point, m.Point)
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
	return fmt.Errorf("%s: the mount of %s has a flag that this option would clear, and it is locked: %w (only who mounted it can clear it; leave the option out)", names, source, unix.EPERM)
}

// StaysReadonly is the warning that a bind with the option rw stays read-only.
func StaysReadonly(source string) string {
	return fmt.Sprintf("rw: the mount of %s is read-only, and that is locked: it stays so (only who mounted it can clear it)", source)
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
