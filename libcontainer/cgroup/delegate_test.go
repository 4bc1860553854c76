// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// A container gets a cgroup below its unit's, and is given one below that to manage.
func TestUnifiedDescend(t *testing.T) {
	if !isolated(t) {
		return
	}
	unit := newGroup(t, Config{Path: "/a.slice/web.scope"})
	pid := spawn(t, unit, "sleep")
	g, err := New(Config{Path: "/a.slice/web.scope/sub", Foreign: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.Descend("/a.slice/web.scope", pid), g.Adopt(pid), g.Limit()); err != nil {
		t.Fatal(err)
	}
	want := strconv.Itoa(pid)
	if got := readFile(t, g.Paths()[""], "cgroup.procs"); got != want {
		t.Errorf("in the subgroup: %q, want %s", got, want)
	}
	if err := g.Delegate("pay/load", 4321, pid); err != nil {
		t.Fatal(err)
	}
	load := filepath.Join(g.Paths()[""], "pay/load")
	if got := readFile(t, load, "cgroup.procs"); got != want {
		t.Errorf("in the delegated cgroup: %q, want %s", got, want)
	}
	if got, have := readFile(t, load, "cgroup.controllers"), readFile(t, g.Paths()[""], "cgroup.controllers"); got != have {
		t.Errorf("the delegated cgroup has %q, of %q", got, have)
	}
	for _, name := range []string{"", "cgroup.procs", "cgroup.subtree_control"} {
		fi, err := os.Stat(filepath.Join(load, name))
		if err != nil {
			t.Fatal(err)
		}
		if uid := fi.Sys().(*syscall.Stat_t).Uid; uid != 4321 {
			t.Errorf("%s: owner %d", name, uid)
		}
	}
	same, err := New(Config{Path: "/a.slice/other.scope", Foreign: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := same.Descend("/a.slice/other.scope", pid); err != nil {
		t.Errorf("without a subgroup: %v", err)
	}
}
