// SPDX-License-Identifier: Apache-2.0

package cgroup

import "testing"

func TestHoldsName(t *testing.T) {
	for _, c := range []struct {
		target, own  string
		holds, known bool
	}{
		{"/a", "/a", true, true},
		{"/a", "/a/b/c", true, true},
		{"/a/b", "/a", false, true},
		{"/a", "/ab", false, true},
		{"/a", "/", false, true},
		{"/", "/a", true, true},
		{"/a", "/..", false, true}, // this process is above its namespace's root
		{"/a", "/../a", false, true},
		{"/..a", "/..a/b", true, true}, // an ordinary name
		{"/..", "/a", false, false},
		{"/../b", "/a", false, false},
		{"/../b", "/../b", false, false},
	} {
		if holds, known := holdsName(c.target, c.own); holds != c.holds || known != c.known {
			t.Errorf("%s of %s: %v, %v", c.own, c.target, holds, known)
		}
	}
}

func TestNameBelow(t *testing.T) {
	const table = `30 1 0:5 / /sys rw - sysfs sysfs rw
31 30 0:26 / /sys/fs/cgroup rw - cgroup2 none rw
32 1 0:26 /x/y /mnt rw - cgroup2 none rw
33 1 0:26 /../z /above rw - cgroup2 none rw
34 1 0:26 /with\040blank /a\040b rw - cgroup2 none rw
3 1 0:26 /three /three rw - cgroup2 none rw
`
	for _, c := range []struct {
		mount uint64
		path  string
		want  string
		known bool
	}{
		{31, "/sys/fs/cgroup/a/b", "/a/b", true},
		{31, "/sys/fs/cgroup", "/", true},
		{31, "/elsewhere/a", "", false},
		{32, "/mnt/a", "/x/y/a", true},
		{32, "/mntx/a", "", false},
		{33, "/above/a", "/../z", true},
		{34, "/a b/c", "/with blank/c", true},
		{3, "/three", "/three", true},
		{35, "/mnt/a", "", false},
	} {
		if got, known := nameBelow(table, c.mount, c.path); got != c.want || known != c.known {
			t.Errorf("%d %s: %q, %v; expected %q, %v", c.mount, c.path, got, known, c.want, c.known)
		}
	}
}
