// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// share mounts on the directory of the images, in this mount namespace only, a
// directory that every user may search, with the same files in it. The processes of a
// user namespace open the images themselves: some as the host's root without its
// capabilities, some as their own root. On the host the directory stays closed, because
// the images have the memory of the processes.
//
// It does the same for the parents of the images.
func share(dir string) error {
	chain, err := withParents(dir)
	if err != nil {
		return err
	}
	for _, dir := range chain {
		if err := cover(dir); err != nil {
			return err
		}
	}
	return nil
}

// withParents returns a directory of images and the directories that its parent link,
// and theirs in turn, lead to.
func withParents(dir string) (chain []string, err error) {
	for {
		chain = append(chain, dir)
		parent, err := os.Readlink(filepath.Join(dir, parentLink))
		if errors.Is(err, os.ErrNotExist) {
			return chain, nil
		}
		if err != nil {
			return nil, err
		}
		if dir = filepath.Join(dir, parent); slices.Contains(chain, dir) {
			return nil, fmt.Errorf("%s is its own parent", dir)
		}
	}
}

// parentLink is CRIU's name for the symlink, beside the images, to the images of the
// earlier dump that they are based on.
const parentLink = "parent"

// cover mounts on dir a tmpfs with the same files and directories, each a bind mount,
// and the same parent link.
func cover(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	parent, err := os.Readlink(filepath.Join(dir, parentLink))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	within := make(map[string]*os.File)
	for _, e := range entries {
		if !e.Type().IsRegular() && !e.IsDir() {
			continue
		}
		f, err := sys.OpenTree(filepath.Join(dir, e.Name()), 0)
		if err != nil {
			return err
		}
		defer f.Close()
		within[e.Name()] = f
	}
	if err := unix.Mount("images", dir, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID|unix.MS_NOEXEC, "mode=755"); err != nil {
		return fmt.Errorf("mount tmpfs on %s: %w", dir, err)
	}
	for _, e := range entries {
		f, path := within[e.Name()], filepath.Join(dir, e.Name())
		if f == nil {
			continue
		}
		if e.IsDir() {
			err = os.Mkdir(path, 0o700)
		} else {
			err = os.WriteFile(path, nil, 0o600)
		}
		if err != nil {
			return err
		}
		if err := unix.MoveMount(int(f.Fd()), "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return fmt.Errorf("mount %s: %w", path, err)
		}
	}
	if parent == "" {
		return nil
	}
	return os.Symlink(parent, filepath.Join(dir, parentLink))
}
