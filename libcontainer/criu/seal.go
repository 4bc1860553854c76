// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// seal makes device nodes of the host read-only, nosuid and noexec in this mount
// namespace, as they are in a new container: otherwise the container's root could
// change their mode and owner. CRIU does set the flags of mounts, but of several mounts
// of one source only those of the first.
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

// nodesIn lists candidates for the directory that makeNodes mounts on; every host has
// one of them. They are mount points of file systems that CRIU does not use. Every user
// may search them and the directories above, as the restored processes must. And they
// are permanently empty, so that a user namespace may still mount a new sysfs although
// one of them is covered.
var nodesIn = [...]string{"/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/config", "/sys/fs/pstore", "/sys/fs/bpf"}

// makeNodes makes the device nodes of a user namespace in a tmpfs that only this mount
// namespace has, and sets the paths of the sources to them.
func makeNodes(label string, mounts []Source) error {
	if !slices.ContainsFunc(mounts, func(m Source) bool { return m.Node != nil }) {
		return nil
	}
	i := slices.IndexFunc(nodesIn[:], func(dir string) bool { _, err := os.Stat(dir); return err == nil })
	if i < 0 {
		err := fmt.Errorf("cannot restore devices in a user namespace: none of the directories %s exists", strings.Join(nodesIn[:], ", "))
		return fault.Hint(err, "sysfs may not be mounted")
	}
	dir := nodesIn[i]
	options := "mode=755"
	if key, value, ok := strings.Cut(label, "="); ok {
		options += "," + key + `="` + value + `"`
	}
	if err := unix.Mount("skiff", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, options); err != nil {
		return fmt.Errorf("mount tmpfs on %s: %w", dir, err)
	}
	for i := range mounts {
		if m := &mounts[i]; m.Node != nil {
			if err := m.makeNode(filepath.Join(dir, strconv.Itoa(i))); err != nil {
				return fmt.Errorf("%s: %w", m.Name, err)
			}
		}
	}
	return nil
}

func (m *Source) makeNode(path string) error {
	err := unix.Mknod(path, m.Node.Mode, int(m.Node.Dev))
	if errors.Is(err, unix.EPERM) {
		return sealNode(m.Path)
	}
	if err == nil {
		err = os.Chown(path, m.Node.UID, m.Node.GID)
	}
	if err == nil {
		err = unix.Chmod(path, m.Node.Mode&^unix.S_IFMT) // regardless of the umask
	}
	m.Path = path
	return err
}
