// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"path/filepath"
	"testing"
)

// The frozen cgroup above is found. The search ends at the root if there is none: the
// group may be frozen itself, or be thawed meanwhile.
func TestFrozenAbove(t *testing.T) {
	for name, c := range map[string]struct {
		events     string
		top, above string // cgroup.freeze of the topmost and of the nearest cgroup above
		want       string
	}{
		"thawed":                  {"populated 1\nfrozen 0\n", "0", "0", ""},
		"thawed, one above is on": {"populated 1\nfrozen 0\n", "1", "0", ""}, // not in effect yet
		"the one above":           {"populated 1\nfrozen 1\n", "0", "1", "a/b"},
		"the top":                 {"populated 1\nfrozen 1\n", "1", "0", "a"},
		"both":                    {"populated 1\nfrozen 1\n", "1", "1", "a/b"},
		"itself":                  {"populated 1\nfrozen 1\n", "0", "0", ""},
		"gone":                    {"", "0", "1", ""},
	} {
		dir := t.TempDir()
		group := filepath.Join(dir, "a/b/web")
		if err := os.MkdirAll(group, 0o755); err != nil {
			t.Fatal(err)
		}
		files := map[string]string{"a/cgroup.freeze": c.top, "a/b/cgroup.freeze": c.above}
		if c.events != "" {
			files["a/b/web/cgroup.events"] = c.events
		}
		for file, text := range files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		g, err := Load(map[string]string{"": group})
		if err != nil {
			t.Fatal(err)
		}
		want := c.want
		if want != "" {
			want = filepath.Join(dir, want)
		}
		if got, err := g.FrozenAbove(); err != nil || got != want {
			t.Errorf("%s: %q, %v, expected %q", name, got, err, want)
		}
	}
}
