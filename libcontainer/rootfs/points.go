// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// Points finds the mount points of a container that is not running. A path of the
// container is resolved through the rootfs and the sources of binds, as it would be if
// everything were mounted. File systems of the container's own are in the checkpoint;
// they are assumed to have no symlinks.
type Points struct {
	root   place
	mounts map[string]*os.Root // what is mounted, by mount point; nil: it is in the checkpoint, or not a directory
	open   []*os.File          // sources, detached
}

// place is what a path leads to.
type place struct {
	dir   *os.Root // the tree that it is in; nil: it is in the checkpoint
	name  string   // in dir, without symlinks on the way
	point string   // in the container
}

// MakePoints makes the mount points that are missing in the rootfs and in the sources
// of binds, as the creation of a container does. It mounts nothing, since a restore
// mounts by itself. The caller has to close the result.
func MakePoints(r plan.Rootfs, host Host) (_ *Points, err error) {
	root, err := os.OpenRoot(r.Path)
	if err != nil {
		return nil, fmt.Errorf("root.path: %w", err)
	}
	p := &Points{root: place{dir: root, name: ".", point: "/"}, mounts: make(map[string]*os.Root)}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	d := decide(r, env{Setting: Setting{Host: host}})
	for i := range d.mounts {
		if err := p.add(&d.mounts[i]); err != nil {
			return nil, err
		}
	}
	if r.Readonly {
		// CRIU uses pivot_root, too; if the new root is read-only by then, it puts
		// the old one on a tmpfs here.
		if err := root.Mkdir("tmp", 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("root.path: CRIU requires a directory tmp in a read-only root file system: %w", err)
		}
	}
	return p, nil
}

// Close closes the descriptors of p.
func (p *Points) Close() {
	for _, dir := range p.mounts {
		if dir != nil {
			dir.Close()
		}
	}
	for _, f := range p.open {
		f.Close()
	}
	p.root.dir.Close()
}

// Of resolves destination to a path of the container without symlinks.
func (p *Points) Of(destination string) (string, error) {
	at, err := p.find(destination)
	return at.point, err
}

// add makes the mount point of a mount, which later paths are resolved through.
func (p *Points) add(m *mount) error {
	switch m.way {
	case change:
		return nil
	case link:
		return p.link(&m.Mount, m.target)
	}
	source, isDir, err := p.source(&m.Mount)
	if err != nil {
		return fmt.Errorf("%s.source: %w", m.Field, err)
	}
	at, err := p.find(m.Destination)
	if err == nil {
		err = at.make(isDir)
	}
	if err != nil {
		return fmt.Errorf("%s.destination: %w", m.Field, err)
	}
	p.mounts[at.point] = source
	return nil
}

// link makes the symlink that takes the place of a mount (copy-symlink).
func (p *Points) link(m *plan.Mount, target string) error {
	at, err := p.find(path.Dir(m.Destination))
	if err == nil && at.dir != nil {
		err = at.dir.MkdirAll(at.name, 0o755)
		if err == nil {
			err = at.dir.Symlink(target, path.Join(at.name, path.Base(m.Destination)))
		}
	}
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return fmt.Errorf("%s.destination: %w", m.Field, err)
}

// source opens the source of a bind as the container would see it: with or without the
// mounts below it. It is nil if that is not a directory, and for a file system of the
// container's own.
func (p *Points) source(m *plan.Mount) (_ *os.Root, isDir bool, err error) {
	if !m.Bind {
		return nil, true, nil
	}
	stat := os.Stat
	if m.SourceLink {
		stat = os.Lstat
	}
	st, err := stat(m.Source)
	if err != nil || !st.IsDir() {
		return nil, false, err
	}
	flags := uint(0)
	if m.Recursive {
		flags = unix.AT_RECURSIVE
	}
	tree, err := sys.OpenTree(m.Source, flags)
	if err != nil {
		return nil, true, err
	}
	p.open = append(p.open, tree)
	dir, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", tree.Fd()))
	return dir, true, err
}

// find resolves a path of the container. Only someone who can write to the trees can
// interfere, and the path never leaves an [os.Root].
func (p *Points) find(name string) (place, error) {
	todo, way := components(name), []place{p.root}
	for links := 0; len(todo) > 0; {
		next := todo[0]
		todo = todo[1:]
		if next == ".." {
			way = way[:max(1, len(way)-1)]
			continue
		}
		at, link, err := p.step(way[len(way)-1], next)
		if err != nil {
			return place{}, err
		}
		if link == "" {
			way = append(way, at)
			continue
		}
		if links++; links > 40 {
			return place{}, &os.PathError{Op: "find", Path: name, Err: unix.ELOOP}
		}
		if filepath.IsAbs(link) {
			way = way[:1]
		}
		todo = append(components(link), todo...)
	}
	return way[len(way)-1], nil
}

// step looks up one name in a directory. If that is a symlink, link is its target.
func (p *Points) step(dir place, name string) (at place, link string, err error) {
	at = place{dir: dir.dir, name: path.Join(dir.name, name), point: path.Join(dir.point, name)}
	if mounted, ok := p.mounts[at.point]; ok {
		at.dir, at.name = mounted, "."
		return at, "", nil
	}
	if at.dir == nil {
		return at, "", nil
	}
	st, err := at.dir.Lstat(at.name)
	if errors.Is(err, fs.ErrNotExist) {
		return at, "", nil
	}
	if err == nil && st.Mode()&fs.ModeSymlink != 0 {
		link, err = at.dir.Readlink(at.name)
	}
	return at, link, err
}

// components returns the names in a path. It keeps "..", since the name before it may
// be a symlink.
func components(name string) (all []string) {
	for c := range strings.SplitSeq(name, "/") {
		if c != "" && c != "." {
			all = append(all, c)
		}
	}
	return all
}

// make makes a directory or an empty file unless something is there already.
func (at *place) make(isDir bool) error {
	if at.dir == nil {
		return nil
	}
	if _, err := at.dir.Lstat(at.name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if isDir {
		return at.dir.MkdirAll(at.name, 0o755)
	}
	if err := at.dir.MkdirAll(path.Dir(at.name), 0o755); err != nil {
		return err
	}
	f, err := at.dir.OpenFile(at.name, os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}
