// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// manyBelow makes more cgroups than the guard searches before it goes by names.
func manyBelow(t *testing.T, path string) {
	t.Helper()
	for i := range 3 * mostSearched {
		if err := os.Mkdir(filepath.Join(path, fmt.Sprint(i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// The guard finds this process among any number of cgroups.
func TestUnifiedProtectedAmongMany(t *testing.T) {
	if !isolated(t) {
		return
	}
	const top = "/sys/fs/cgroup/harness"
	manyBelow(t, top)
	own := top + "/7"
	if err := os.WriteFile(own+"/cgroup.procs", []byte("0"), 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.WriteFile(top+"/cgroup.procs", []byte("0"), 0) }()
	for _, p := range []string{top, own} {
		m := &member{names: []string{""}, path: p}
		if err := m.guard(); !errors.Is(err, ErrProtected) {
			t.Errorf("%s: %v", p, err)
		}
		d, err := openDir(p)
		if err != nil {
			t.Fatal(err)
		}
		if holds, known := m.holdsCaller(d); !holds || !known {
			t.Errorf("%s, by its name: %v, %v", p, holds, known)
		}
		d.close()
	}

	g := newGroup(t, Config{ID: "other"})
	pid := spawn(t, g, "sleep")
	manyBelow(t, g.members[0].path)
	if err := errors.Join(g.Kill(), g.Remove(soon())); err != nil {
		t.Error(err)
	}
	awaitReaped(t, pid)
}

// A walk continues after cgroups that it is in were removed.
func TestUnifiedWalkRemoved(t *testing.T) {
	if !isolated(t) {
		return
	}
	const top = "/sys/fs/cgroup/top"
	for _, p := range []string{"", "/a", "/a/b", "/a/b/c", "/a/b/c/d", "/e", "/e/f"} {
		if err := os.Mkdir(top+p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d, err := openDir(top)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	seen := 0
	err = d.walk(func(at dir) error {
		seen++
		if filepath.Base(at.path) == "d" { // the walk is in c
			return errors.Join(unix.Rmdir(top+"/a/b/c/d"), unix.Rmdir(top+"/a/b/c"), unix.Rmdir(top+"/a/b"))
		}
		return nil
	})
	if err != nil || seen != 7 {
		t.Errorf("%d cgroups, %v", seen, err)
	}
	if err := errors.Join(d.removeBelow(), unix.Rmdir(top)); err != nil {
		t.Error(err)
	}
}
