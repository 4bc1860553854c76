// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"os"
	"path/filepath"
	"testing"
)

func openRoot(t *testing.T, dir string, links map[string]string) *os.Root {
	t.Helper()
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func TestPoints(t *testing.T) {
	image := openRoot(t, t.TempDir(), map[string]string{
		"abs": "/run", "up": "../../etc", "to-bind": "/bind/in", "loop": "loop", "chain": "abs/x",
	})
	source := openRoot(t, t.TempDir(), map[string]string{"in": "inside", "out": "/run"})
	p := &Points{
		root:   place{dir: image, name: ".", point: "/"},
		mounts: map[string]*os.Root{"/bind": source, "/tmp": nil, "/bind/tmp": nil},
	}
	for _, c := range []struct {
		path, point, name string
		dir               *os.Root
	}{
		{"/", "/", ".", image},
		{"/a/b", "/a/b", "a/b", image},
		{"/abs/secrets", "/run/secrets", "run/secrets", image},
		{"/up/passwd", "/etc/passwd", "etc/passwd", image},
		{"/chain/y", "/run/x/y", "run/x/y", image},
		{"/a/../../b", "/b", "b", image},
		{"/bind/in/x", "/bind/inside/x", "inside/x", source},
		{"/bind/out/x", "/run/x", "run/x", image},
		{"/to-bind/x", "/bind/inside/x", "inside/x", source},
		{"/bind/../a", "/a", "a", image},
		{"/tmp", "/tmp", ".", nil},
		{"/tmp/x/y", "/tmp/x/y", "x/y", nil},
		{"/bind/tmp/x", "/bind/tmp/x", "x", nil},
	} {
		at, err := p.find(c.path)
		if err != nil || at.point != c.point || at.name != c.name || at.dir != c.dir {
			t.Errorf("%s leads to %+v (%v), want %s, which is %s", c.path, at, err, c.point, c.name)
		}
	}
	if at, err := p.find("/loop/x"); err == nil {
		t.Errorf("a symlink to itself leads to %+v", at)
	}
}
