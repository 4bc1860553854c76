// SPDX-License-Identifier: Apache-2.0

package rdt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// fake makes a directory that looks like resctrl, where a new group gets its files.
func fake(t *testing.T) *tree {
	t.Helper()
	tr := &tree{mount: t.TempDir(), rmdir: func(path string) error {
		if _, err := os.Lstat(path); err != nil {
			return err
		}
		return os.RemoveAll(path)
	}}
	tr.mkdir = func(path string) error {
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
		fill(t, path)
		return nil
	}
	fill(t, tr.mount)
	if err := os.Mkdir(tr.mount+"/info", 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, tr.mount+"/info/last_cmd_status", "ok\n")
	return tr
}

func fill(t *testing.T, dir string) {
	t.Helper()
	put(t, dir+"/tasks", "")
	if filepath.Base(filepath.Dir(dir)) == "mon_groups" {
		return
	}
	put(t, dir+"/schemata", "    MB:0=100;1=100\n    L3:0=007ff;1=007ff\n")
	if err := os.Mkdir(dir+"/mon_groups", 0o755); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func made(t *testing.T, tr *tree, r *specs.LinuxIntelRdt) *Group {
	t.Helper()
	g, err := tr.find(r, "web")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Make(); err != nil {
		t.Fatal(err)
	}
	return g
}

func gone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", path, err)
	}
}

func TestOwnClass(t *testing.T) {
	tr := fake(t)
	g := made(t, tr, &specs.LinuxIntelRdt{EnableMonitoring: true})
	if !g.Own || !g.Made || g.Class != tr.mount+"/web" || g.Monitor != tr.mount+"/web/mon_groups/web" {
		t.Fatalf("%+v", g)
	}
	if s := read(t, g.Class+"/schemata"); !strings.HasPrefix(s, "    MB") {
		t.Errorf("schemata written without being asked for: %q", s)
	}
	if err := Join(g.Class, g.Monitor, 42); err != nil {
		t.Fatal(err)
	}
	if a, b := read(t, g.Class+"/tasks"), read(t, g.Monitor+"/tasks"); a != "42" || b != "42" {
		t.Errorf("tasks %q, %q", a, b)
	}
	if err := g.Undo(); err != nil {
		t.Fatal(err)
	}
	gone(t, g.Class)
	if err := g.Undo(); err != nil {
		t.Errorf("again: %v", err)
	}
}

// The specification's order is l3CacheSchema, memBwSchema, schemata.
func TestSchemataWritten(t *testing.T) {
	tr := fake(t)
	r := &specs.LinuxIntelRdt{ClosID: "gold", Schemata: []string{"L3:0=f", "L2:0=f"}, L3CacheSchema: "L3:0=1", MemBwSchema: "MB:0=20"}
	g := made(t, tr, r)
	if !g.Made || g.Own {
		t.Errorf("%+v", g)
	}
	if want := []string{"L3:0=1", "MB:0=20", "L3:0=f\nL2:0=f"}; strings.Join(g.schemata, "|") != strings.Join(want, "|") {
		t.Errorf("schemata %q, expected %q", g.schemata, want)
	}
	if s := read(t, g.Class+"/schemata"); s != "L3:0=f\nL2:0=f\n" {
		t.Errorf("the last write was %q", s)
	}
}

func TestCompared(t *testing.T) {
	tr := fake(t)
	if err := tr.mkdir(tr.mount + "/gold"); err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct {
		r    specs.LinuxIntelRdt
		want string
	}{
		{specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=7ff;1=0x7FF", MemBwSchema: "MB:1=100"}, ""},
		{specs.LinuxIntelRdt{ClosID: "gold"}, ""},
		{specs.LinuxIntelRdt{ClosID: "/"}, ""},
		{specs.LinuxIntelRdt{ClosID: "/", Schemata: []string{"MB:0=100"}}, ""},
		{specs.LinuxIntelRdt{ClosID: "/", Schemata: []string{"MB:0=10"}}, "MB:0 is 100, expected 10"},
		{specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=7fe"}, "L3:0 is 7ff, expected 7fe"},
		{specs.LinuxIntelRdt{ClosID: "gold", Schemata: []string{"L2:0=f"}}, "L2:0 is missing, expected f"},
		{specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=1", Schemata: []string{"L3:0=7ff"}}, ""},
		{specs.LinuxIntelRdt{ClosID: "silver"}, "the class of service silver does not exist"},
	} {
		g, err := tr.find(&s.r, "web")
		if s.want == "" && (err != nil || g.Made || g.Own) || s.want != "" && (err == nil || !strings.Contains(err.Error(), s.want)) {
			t.Errorf("%+v: %+v, error %v; expected %q", s.r, g, err, s.want)
		}
	}
}

// A class that existed before the container stays; the monitoring group is removed.
func TestExistingStays(t *testing.T) {
	tr := fake(t)
	if err := tr.mkdir(tr.mount + "/web"); err != nil {
		t.Fatal(err)
	}
	g := made(t, tr, &specs.LinuxIntelRdt{EnableMonitoring: true})
	if g.Own || g.Made {
		t.Errorf("%+v", g)
	}
	if err := g.Undo(); err != nil {
		t.Fatal(err)
	}
	gone(t, g.Monitor)
	if _, err := os.Lstat(g.Class); err != nil {
		t.Error(err)
	}
}

func TestFailures(t *testing.T) {
	tr := fake(t)
	put(t, tr.mount+"/info/last_cmd_status", "out of CLOSIDs\n")
	tr.mkdir = func(path string) error { return &fs.PathError{Op: "mkdir", Path: path, Err: fs.ErrExist} }
	g, err := tr.find(&specs.LinuxIntelRdt{}, "web")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Make(); err == nil || !strings.Contains(err.Error(), "linux.intelRdt.closID: make the class of service "+tr.mount+"/web: file already exists (out of CLOSIDs)") {
		t.Errorf("error %v", err)
	}
	if err := g.Undo(); err != nil {
		t.Error(err)
	}
	if err := Join(tr.mount+"/nosuch", "", 1); err == nil || !strings.Contains(err.Error(), "linux.intelRdt: move process 1 to") {
		t.Errorf("error %v", err)
	}
}

func TestMountPoint(t *testing.T) {
	const table = "22 1 0:21 / /proc rw - proc proc rw\n" +
		"30 22 0:27 /sub /mnt rw - resctrl resctrl rw\n" +
		"31 22 0:27 / /sys/fs/res\\040ctrl rw,nosuid shared:9 - resctrl resctrl rw\n"
	if m := mountPoint(table); m != "/sys/fs/res ctrl" {
		t.Errorf("found %q", m)
	}
	if m := mountPoint("22 1 0:21 / /proc rw - proc resctrl rw\n"); m != "" {
		t.Errorf("found %q", m)
	}
}
