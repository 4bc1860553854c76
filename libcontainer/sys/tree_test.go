// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// few limits this process to that many descriptors more than it has.
func few(t *testing.T, more uint64) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	now := old
	now.Cur = uint64(len(open)) + more
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &old) })
}

// nest makes nested directories, and returns a descriptor of the innermost one.
func nest(t *testing.T, top, name string, levels int) (last int) {
	t.Helper()
	last, err := unix.Open(top, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for range levels {
		if err != nil {
			t.Fatal(err)
		}
		if err = unix.Mkdirat(last, name, 0o755); err != nil {
			t.Fatal(err)
		}
		above := last
		last, err = openStep(above, name, 0)
		unix.Close(above)
	}
	if err != nil {
		t.Fatal(err)
	}
	return last
}

func TestRemoveTreeDeep(t *testing.T) {
	top := filepath.Join(t.TempDir(), "top")
	outside := filepath.Join(filepath.Dir(top), "outside")
	if err := errors.Join(os.Mkdir(top, 0o700), os.WriteFile(outside, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	last := nest(t, top, strings.Repeat("n", 250), 600)
	defer unix.Close(last)
	err := errors.Join(unix.Symlinkat(outside, last, "link"), unix.Mknodat(last, "fifo", unix.S_IFIFO, 0), unix.Mkdirat(last, "closed", 0),
		unix.Symlinkat(filepath.Dir(top), last, "above"))
	if err != nil {
		t.Fatal(err)
	}
	few(t, 6)
	if err := RemoveTree(top); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(top); !errors.Is(err, unix.ENOENT) {
		t.Error(err)
	}
	if _, err := os.Lstat(outside); err != nil {
		t.Error(err)
	}
	if err := RemoveTree(top); err != nil {
		t.Errorf("one that does not exist: %v", err)
	}
}

// Directories with many names are read in pieces, each name once, on more levels than are
// kept open.
func TestWalkWide(t *testing.T) {
	const levels, wide = mostKept + 4, 2 * bite / 250
	top, err := unix.Open(t.TempDir(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(top)
	at, want := top, 1
	for level := range levels {
		for i := range wide {
			if err := unix.Mkdirat(at, fmt.Sprintf("%04d%0240d", i, level), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		want += wide
		next, err := openStep(at, fmt.Sprintf("%04d%0240d", level*17%wide, level), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(next)
		at = next
	}
	few(t, mostKept+3)
	seen := make(map[string]int)
	w := &Walk{Enter: func(_ int, name string, _ int) error { seen[name]++; return nil }}
	if err := w.Run(top); err != nil {
		t.Fatal(err)
	}
	for name, n := range seen {
		if n > 1 {
			t.Errorf("%q %d times", name, n)
		}
	}
	if len(seen) != want {
		t.Errorf("%d directories, expected %d", len(seen), want)
	}
	if err := RemoveDirectories(top); err != nil {
		t.Fatal(err)
	}
	left := 0
	w = &Walk{Enter: func(int, string, int) error { left++; return nil }}
	if err := w.Run(top); err != nil || left != 1 {
		t.Errorf("%d directories are left, %v", left, err)
	}
}

// A directory that is moved while the walk is in it leads nowhere else.
func TestWalkMoved(t *testing.T) {
	top := t.TempDir()
	other := t.TempDir()
	for _, d := range []string{top + "/a/b/c/d", other + "/victim/below"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := unix.Open(top, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	w := &Walk{Files: true, Enter: func(_ int, name string, _ int) error {
		if name == "c" {
			return os.Rename(top+"/a/b", other+"/b")
		}
		return nil
	}, Prune: removeEntry}
	// The walk is in b then, and the parent of b is other.
	if err := w.Run(fd); !errors.Is(err, ErrMoved) {
		t.Error(err)
	}
	for _, d := range []string{"/victim/below", "/b"} {
		if _, err := os.Stat(other + d); err != nil {
			t.Error("outside of the tree:", err)
		}
	}
}

// Every directory is visited once, parents first, whatever vanishes meanwhile.
func TestWalk(t *testing.T) {
	top := t.TempDir()
	for _, d := range []string{"a/b/c", "a/d", "e", "f/g"} {
		if err := os.MkdirAll(filepath.Join(top, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := unix.Open(top, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	depth := make(map[string]int)
	w := &Walk{Enter: func(_ int, name string, d int) error {
		if _, twice := depth[name]; twice {
			t.Errorf("%q twice", name)
		}
		depth[name] = d
		if name == "c" { // the walk is in b
			return os.RemoveAll(top + "/a/b")
		}
		return nil
	}}
	if err := w.Run(fd); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"": 0, "a": 1, "b": 2, "c": 3, "d": 2, "e": 1, "f": 1, "g": 2} {
		if got, ok := depth[name]; !ok || got != want {
			t.Errorf("%q: depth %d, %v; expected %d", name, got, ok, want)
		}
	}
}
