// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPublish publishes a file at a path where something exists already.
func TestPublish(t *testing.T) {
	for _, c := range []struct {
		name  string
		lay   func(path, victim string) error
		want  string // content of path afterwards; if it is "", err has the expected error
		err   string
		kept  bool // what was at path is still there
		other bool // another user made it
	}{
		{name: "nothing", lay: func(string, string) error { return nil }, want: "42"},
		{name: "file", lay: func(path, _ string) error { return os.WriteFile(path, []byte("12345"), 0o600) }, want: "42"},
		{name: "symlink to a file", lay: func(path, victim string) error { return os.Symlink(victim, path) }, want: "42"},
		{name: "symlink to nothing", lay: func(path, victim string) error { return os.Symlink(victim+"/x", path) }, want: "42"},
		{name: "symlink to itself", lay: func(path, _ string) error { return os.Symlink(path, path) }, want: "42"},
		{name: "symlink to a device", lay: func(path, _ string) error { return os.Symlink("/dev/null", path) }, kept: true},
		{name: "another's symlink to a device", lay: func(path, _ string) error {
			return errors.Join(os.Symlink("/dev/null", path), os.Lchown(path, 1000, 1000))
		}, want: "42", other: true},
		{name: "device that is full", lay: func(path, _ string) error { return os.Symlink("/dev/full", path) }, err: "no space left", kept: true},
		{name: "directory", lay: func(path, _ string) error { return os.Mkdir(path, 0o700) }, err: "must be a regular file, but is a directory", kept: true},
		{name: "socket", lay: func(path, _ string) error {
			return unix.Mknod(path, unix.S_IFSOCK|0o600, 0)
		}, err: "must be a regular file, but is a socket", kept: true},
		{name: "no directory", lay: func(path, _ string) error { return os.Remove(filepath.Dir(path)) }, err: "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.other && os.Geteuid() != 0 {
				t.Skip("files cannot be given to another user here (chown: EPERM)")
			}
			dir, scratch := filepath.Join(t.TempDir(), "d"), t.TempDir()
			path, victim := filepath.Join(dir, "pid"), filepath.Join(scratch, "victim")
			// The name that somebody might guess.
			trap := filepath.Join(dir, fmt.Sprintf(".pid.%d", os.Getpid()))
			if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(victim, []byte("secret"), 0o600), c.lay(path, victim)); err != nil {
				t.Fatal(err)
			}
			_ = os.Symlink(victim, trap)
			before, _ := os.Lstat(path)
			remove, err := Publish(path, []byte("42"), 0o666, scratch)
			if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			if after, _ := os.Lstat(path); c.kept && !os.SameFile(before, after) {
				t.Errorf("it was replaced: %v, before %v", after, before)
			}
			if c.want != "" {
				if b, err := os.ReadFile(path); err != nil || string(b) != c.want {
					t.Errorf("%q, %v", b, err)
				}
			}
			if b, err := os.ReadFile(victim); err != nil || string(b) != "secret" {
				t.Errorf("the file of another place: %q, %v", b, err)
			}
			expectFiles(t, scratch, "victim")
			if err == nil {
				if err := remove(); err != nil {
					t.Error(err)
				}
				if _, err := os.Lstat(path); (err == nil) != c.kept {
					t.Errorf("removed: %v", err)
				}
			}
			_ = os.Remove(trap)
			_ = os.Remove(path)
			if c.name != "no directory" {
				expectFiles(t, dir)
			}
		})
	}
}

func expectFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s has %q, want %q", dir, got, want)
	}
}

// A FIFO gets the text, and so does a descriptor of this process.
func TestPublishInPlace(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	link := filepath.Join(dir, "stdout")
	if err := os.Symlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), link); err != nil {
		t.Fatal(err)
	}
	for path, from := range map[string]*os.File{fifo: r, link: f, fmt.Sprintf("/dev/fd/%d", f.Fd()): f} {
		remove, err := Publish(path, []byte("42"), 0o666, dir)
		if err != nil {
			t.Fatal(path, err)
		}
		b := make([]byte, 9)
		n, err := from.Read(b)
		if err != nil || string(b[:n]) != "42" {
			t.Errorf("%s: %q, %v", path, b[:n], err)
		}
		if err := remove(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
	expectFiles(t, dir, "fifo", "stdout")
}

// A file that somebody else has written since is not removed.
func TestPublishRemovesItsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	remove, err := Publish(path, []byte("42"), 0o666, t.TempDir())
	if err == nil {
		err = os.WriteFile(path, []byte("43"), 0o600)
	}
	if err == nil {
		err = remove()
	}
	if _, statErr := os.Stat(path); err != nil || statErr != nil {
		t.Error(err, statErr)
	}
}

// A file is replaced even if scratch is on another file system, or does not exist.
func TestPublishBeside(t *testing.T) {
	for _, scratch := range []string{"/proc", "/no/such/directory"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "pid")
		for _, text := range []string{"12345", "42"} {
			if _, err := Publish(path, []byte(text), 0o666, scratch); err != nil {
				t.Fatal(scratch, err)
			}
			if b, err := os.ReadFile(path); err != nil || string(b) != text {
				t.Errorf("%q, %v", b, err)
			}
		}
		expectFiles(t, dir, "pid")
	}
}

func TestPublishNew(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.json")
	for _, make := range []func(string, []byte, uint32) error{PublishNew, createNew} {
		if err := make(path, []byte("42"), 0o640); err != nil {
			t.Fatal(err)
		}
		if st, err := os.Stat(path); err != nil || st.Mode() != 0o640 || st.Size() != 2 {
			t.Error(st, err)
		}
		if err := make(path, []byte("43"), 0o640); !errors.Is(err, fs.ErrExist) {
			t.Errorf("there is one: %v", err)
		}
		expectFiles(t, dir, "config.json")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// Append follows those symlinks that the caller can be assumed to mean.
func TestAppend(t *testing.T) {
	dir := t.TempDir()
	link, file := filepath.Join(dir, "link"), filepath.Join(dir, "file")
	if err := os.Symlink("file", link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link} {
		f, err := Append(path, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := f.Write([]byte("x")); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "xx" {
		t.Errorf("%q, %v", b, err)
	}
	if os.Geteuid() != 0 {
		t.Skip("files cannot be given to another user here (chown: EPERM)")
	}
	if err := os.Lchown(link, 1000, 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := Append(link, 0o600); err == nil || !strings.Contains(err.Error(), "belongs to another user") {
		t.Errorf("another's symlink: %v", err)
	}
}
