package criu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// share covers the directory of the images, in this mount namespace alone, with
// one that everybody may search, and the same files in it. Processes of a user
// namespace read them themselves, some as the host's root without its
// privileges, and some as their own root. On the host the directory stays
// closed: there is memory in the images.
//
// It goes on with the images that these have for their parent.
func share(dir string) error {
	for {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		parent, err := os.Readlink(filepath.Join(dir, "parent"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := cover(dir, entries, parent); err != nil {
			return err
		}
		if parent == "" {
			return nil
		}
		dir = filepath.Join(dir, parent)
	}
}

// cover mounts a directory on dir that has its files, and the link to its
// parent.
func cover(dir string, entries []os.DirEntry, parent string) error {
	files := make(map[string]*os.File)
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		f, err := sys.OpenTree(filepath.Join(dir, e.Name()), false)
		if err != nil {
			return err
		}
		defer f.Close()
		files[e.Name()] = f
	}
	if err := unix.Mount("images", dir, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID|unix.MS_NOEXEC, "mode=755"); err != nil {
		return fmt.Errorf("mount tmpfs on %s: %w", dir, err)
	}
	for name, f := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			return err
		}
		if err := unix.MoveMount(int(f.Fd()), "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return fmt.Errorf("mount %s: %w", path, err)
		}
	}
	if parent == "" {
		return nil
	}
	return os.Symlink(parent, filepath.Join(dir, "parent"))
}
