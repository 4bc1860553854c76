// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"path"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// peek reads a short file of a cgroup without opening its directory, checking the file
// system, and looking for the end of the file. That saves system calls in `state` and
// `list`, which read a few values of each container.
func peek(dir, name string) (string, error) { return peekAt(unix.AT_FDCWD, dir, dir+"/"+name) }

func (m *member) peek(name string) (string, error) { return peek(m.path, name) }

// peekAt is peek for a file that the open directory at has under the name rel.
func peekAt(at int, dir, rel string) (string, error) {
	fd, err := openat2(at, rel, unix.O_RDONLY, noLinks)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: dir + "/" + path.Base(rel), Err: sys.Explain("openat2", err)}
	}
	defer unix.Close(fd)
	var room [512]byte
	b, err := sys.ReadHead(fd, room[:])
	return strings.TrimSpace(string(b)), err
}

const noLinks = unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// Looker looks at the freezers of groups in turn. Most groups are next to each other, so
// from the third one on it does not walk through the cgroup file system again, which is
// slow there. The zero Looker is ready for use.
type Looker struct {
	above string // the directory above the last cgroup, with a slash
	fd    int    // that directory + 1, if it is open
}

// Frozen is [Group.Frozen] for the group with these paths, as [Group.Paths] returns them.
func (l *Looker) Frozen(paths map[string]string) (bool, error) {
	for _, p := range paths {
		if err := checkPath(p); err != nil {
			return false, err
		}
	}
	return frozen(paths[""], paths["freezer"], l.peek)
}

func (l *Looker) peek(dir, name string) (string, error) {
	above, base := path.Split(dir)
	if above != l.above {
		l.Close()
		l.above = above
		return peek(dir, name)
	}
	if l.fd == 0 {
		fd, err := openat2(unix.AT_FDCWD, above, unix.O_PATH|unix.O_DIRECTORY, noLinks)
		if err != nil {
			return peek(dir, name)
		}
		l.fd = fd + 1
	}
	return peekAt(l.fd-1, dir, base+"/"+name)
}

// Close closes what l has open.
func (l *Looker) Close() {
	if l.fd != 0 {
		unix.Close(l.fd - 1)
	}
	*l = Looker{}
}
