package criu

import (
	"fmt"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// seal makes nodes of the host read-only, nosuid and noexec in this mount
// namespace, as they are in a new container, whose root could change their mode
// and owner otherwise. CRIU does set the flags of a mount, but when it makes
// several of one source, only those of the first.
func seal(mounts []Source) error {
	done := make(map[string]bool)
	for _, m := range mounts {
		if !m.Seal || done[m.Path] {
			continue
		}
		done[m.Path] = true
		if err := sealNode(m.Path); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	return nil
}

func sealNode(path string) error {
	node, err := sys.OpenTree(path, 0)
	if err != nil {
		return err
	}
	defer node.Close()
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC, Propagation: unix.MS_PRIVATE}
	if err := sys.MountSetattr(node, false, attr); err != nil {
		return err
	}
	if err := unix.MoveMount(int(node.Fd()), "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount %s: %w", path, err)
	}
	return nil
}
