// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestResolve(t *testing.T) {
	v2 := hierarchy{names: []string{""}, mount: "/cg", own: "/user.slice/me.scope"}
	v1 := hierarchy{names: []string{"cpu"}, mount: "/cg/cpu", own: "/user.slice/me.scope"}
	lost := hierarchy{names: []string{""}, mount: "/cg"}
	for _, c := range []struct {
		h          hierarchy
		path, want string
		err        error
	}{
		{v2, "", "/web1", nil},
		{v1, "", "/web1", nil},
		{v2, "/a/b", "/a/b", nil},
		{v2, "/a//b/../c/", "/a/c", nil},
		{v2, "/../../a", "/a", nil},
		{v2, "a/b", "/user.slice/a/b", nil},
		{v1, "a/b", "/user.slice/me.scope/a/b", nil},
		{v2, "../../a", "/user.slice/a", nil},
		{v1, "../../a", "/user.slice/me.scope/a", nil},
		{v2, "/user.slice/me.scope/below", "/user.slice/me.scope/below", nil},
		{v2, "/user.slice/me.scopes", "/user.slice/me.scopes", nil},
		{lost, "/a", "/a", nil},

		{v2, "/", "", ErrProtected},
		{v2, "/..", "", ErrProtected},
		{v2, "/a/..", "", ErrProtected},
		{v2, "/user.slice", "", ErrProtected},
		{v2, "/user.slice/", "", ErrProtected},
		{v2, "/user.slice/me.scope", "", ErrProtected},
		{v2, ".", "", ErrProtected},
		{v2, "me.scope", "", ErrProtected},
		{v1, ".", "", ErrProtected},
		{lost, "/", "", ErrProtected},
	} {
		got, err := resolve(&Config{Path: c.path, ID: "web1"}, &c.h)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("resolve(%q) at %v = %q, %v; want %q, %v", c.path, c.h.names, got, err, c.want, c.err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "linux.cgroupsPath: ") {
			t.Errorf("%q: the error does not name the field: %v", c.path, err)
		}
	}
	if _, err := resolve(&Config{Path: "a", ID: "x"}, &lost); err == nil || !strings.Contains(err.Error(), "absolute path") {
		t.Errorf("relative to a cgroup that cannot be seen: %v", err)
	}
	if _, err := resolve(&Config{}, &v2); err == nil {
		t.Error("neither path nor id: no error")
	}
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		p, top string
		want   bool
	}{
		{"/x/foo", "/x/foo", true}, {"/x/foo/bar", "/x/foo", true}, {"/x/foobar", "/x/foo", false},
		{"/x", "/x/foo", false}, {"/x", "/", true}, {"", "/", false}, {"/", "/", true},
	} {
		if got := within(c.p, c.top); got != c.want {
			t.Errorf("within(%q, %q) = %v", c.p, c.top, got)
		}
	}
}

func TestMounted(t *testing.T) {
	const self = "12::/\n5:cpu,cpuacct:/docker/x\n4:memory:/docker/x/y\n3:hugetlb:/\n2:name=systemd:/s\n0::/u/v\n"
	const table = `30 20 0:25 / /proc rw shared:1 - proc proc rw
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
32 31 0:29 /docker/x /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
33 31 0:29 /docker/x /elsewhere rw - cgroup cgroup rw,cpu,cpuacct
34 31 0:30 /docker/x /sys/fs/cgroup/with\040blank rw - cgroup cgroup rw,memory
35 31 0:31 /.. /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
36 31 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
garbage
`
	want := []hierarchy{
		{[]string{"cpu", "cpuacct"}, "/sys/fs/cgroup/cpu,cpuacct", "/"},
		{[]string{"memory"}, "/sys/fs/cgroup/with blank", "/y"},
		{[]string{"name=systemd"}, "/sys/fs/cgroup/systemd", ""},
		{[]string{""}, "/sys/fs/cgroup/unified", "/u/v"},
	}
	if got := mounted(self, table); !reflect.DeepEqual(got, want) {
		t.Errorf("mounted:\n%q, want\n%q", got, want)
	}
	if own, ok := memberOf(self, ""); own != "/u/v" || !ok {
		t.Errorf("the cgroup of v2: %q, %v, want /u/v, not that of the hierarchy that is being removed", own, ok)
	}
}

func TestBelow(t *testing.T) {
	for _, c := range []struct{ root, path, want string }{
		{"/", "/a", "/a"}, {"/a", "/a", "/"}, {"/a", "/a/b", "/b"}, {"/a", "/ab", ""},
		{"/a", "/", ""}, {"/..", "/a", ""}, {"/", "/../a", ""},
	} {
		if got := pathBelow(c.root, c.path); got != c.want {
			t.Errorf("below(%q, %q) = %q, want %q", c.root, c.path, got, c.want)
		}
	}
}

func TestLoad(t *testing.T) {
	for _, p := range []string{"", "/", "a/b", "/a/../b", "/a/", "/a//b"} {
		if _, err := Load(map[string]string{"": p}); err == nil {
			t.Errorf("Load of path %q: no error", p)
		}
	}
	paths := map[string]string{"cpu": "/c/x", "cpuacct": "/c/x", "": "/u/x"}
	g, err := Load(paths)
	if err != nil {
		t.Fatal(err)
	}
	if got := g.Paths(); !reflect.DeepEqual(got, paths) {
		t.Errorf("Paths() = %v, want %v", got, paths)
	}
	if len(g.members) != 2 {
		t.Errorf("controllers mounted together: %v", g.members)
	}
	for range 20 { // the order of a map differs each time
		if g, err = Load(paths); err != nil || !slices.Equal(g.members[0].names, []string{"cpu", "cpuacct"}) {
			t.Fatalf("Load: %v, %v", g, err)
		}
	}
}
