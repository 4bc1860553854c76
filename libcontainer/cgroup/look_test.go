// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLooker looks at files that stand for those of cgroups.
func TestLooker(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		"a/one/cgroup.freeze": "0\n", "a/two/cgroup.freeze": "1\n", "a/three/cgroup.freeze": "0\n", "b/four/cgroup.freeze": "1\n",
		"v1/one/freezer.state": "THAWED\n", "v1/two/freezer.state": "FREEZING\n", "v1/three/freezer.state": "FROZEN\n",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("two", filepath.Join(root, "a/link")); err != nil {
		t.Fatal(err)
	}
	var l Looker
	defer l.Close()
	for _, c := range []struct {
		unified, legacy string
		frozen, fails   bool
	}{
		{unified: "a/one"}, {unified: "a/two", frozen: true}, {unified: "a/three"}, {unified: "a/two", frozen: true},
		{unified: "a/gone"}, {unified: "a/link", fails: true}, {unified: "b/four", frozen: true}, {unified: "a/one"}, {unified: "a/link", fails: true},
		{unified: "gone/one"}, {unified: "gone/two"}, {unified: "gone/three"},
		{legacy: "v1/one"}, {legacy: "v1/two", frozen: true}, {legacy: "v1/three", frozen: true}, {unified: "a/one", legacy: "v1/three", frozen: true},
		{unified: "a/two", legacy: "v1/one", frozen: true}, {},
	} {
		paths := map[string]string{"pids": filepath.Join(root, "v1/pids")}
		if c.unified != "" {
			paths[""] = filepath.Join(root, c.unified)
		}
		if c.legacy != "" {
			paths["freezer"] = filepath.Join(root, c.legacy)
		}
		frozen, err := l.Frozen(paths)
		if frozen != c.frozen || (err != nil) != c.fails {
			t.Errorf("%q, %q: %v, %v", c.unified, c.legacy, frozen, err)
		}
		g, err := Load(paths)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := g.Frozen(); again != frozen || (err != nil) != c.fails {
			t.Errorf("%q, %q: %v, %v for the group, %v for the paths", c.unified, c.legacy, again, err, frozen)
		}
	}
	for _, path := range []string{"relative", "/", "/a/../b", "/a/"} {
		if _, err := l.Frozen(map[string]string{"": path}); err == nil {
			t.Errorf("%q is not a path of a cgroup, but was read", path)
		}
	}
}
