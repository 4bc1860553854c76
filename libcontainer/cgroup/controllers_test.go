// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"maps"
	"slices"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestWanted(t *testing.T) {
	g := &Group{resources: &specs.LinuxResources{
		CPU:     &specs.LinuxCPU{Cpus: "0"},
		Unified: map[string]string{"dmem.max": "x", "cgroup.max.depth": "1", "memory.high": "1"},
	}}
	if got, want := g.wanted(), append(slices.Clone(standard[:]), "dmem"); !slices.Equal(got, want) {
		t.Errorf("wanted() = %v, want %v", got, want)
	}
	if got := (&Group{}).wanted(); !slices.Equal(got, standard[:]) {
		t.Errorf("wanted() of nothing = %v, want %v", got, standard)
	}
}

func TestDemands(t *testing.T) {
	memory := []member{{names: []string{"memory"}}}
	for _, c := range []struct {
		text    string
		members []member
		want    map[string]string
	}{
		{`{}`, nil, nil},
		{`{"memory":{"limit":-1},"pids":{"limit":-1},"unified":{"io.max":"8:0 rbps=max"}}`, nil, nil},
		{`{"memory":{"limit":4096},"pids":{"limit":1}}`, nil, map[string]string{"memory": "memory.limit", "pids": "pids.limit"}},
		{`{"memory":{"limit":4096},"cpu":{"shares":2}}`, memory, map[string]string{"cpu": "cpu.shares"}},
		{`{"unified":{"memory.high":"4096"}}`, nil, map[string]string{"memory": `unified["memory.high"]`}},
	} {
		g := &Group{members: c.members, resources: resourcesOf(t, c.text)}
		if got := g.demands(); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.text, got, c.want)
		}
	}
}

func TestAbove(t *testing.T) {
	for _, c := range []struct {
		mount, p string
		want     []string
	}{
		{"/sys/fs/cgroup", "/sys/fs/cgroup/a", []string{"/sys/fs/cgroup"}},
		{"/sys/fs/cgroup", "/sys/fs/cgroup/a/bc/d", []string{"/sys/fs/cgroup", "/sys/fs/cgroup/a", "/sys/fs/cgroup/a/bc"}},
	} {
		if got := slices.Collect(above(c.mount, c.p)); !slices.Equal(got, c.want) {
			t.Errorf("above(%s, %s) = %v, want %v", c.mount, c.p, got, c.want)
		}
	}
}

// A refusal because of the processes in a cgroup is distinguished from one because of
// the controller, such as that of cpu while a process has a real-time policy.
func TestCrowded(t *testing.T) {
	for errno, want := range map[syscall.Errno]bool{
		unix.EBUSY: true, unix.EOPNOTSUPP: true, unix.EINVAL: false, unix.ENOENT: false, unix.EACCES: false, unix.EROFS: false,
	} {
		if got := crowded(fmt.Errorf("write: %w", errno)); got != want {
			t.Errorf("crowded(%v) = %v", errno, got)
		}
	}
}

// A container's cgroup has all standard controllers that the host has.
func TestUnifiedControllers(t *testing.T) {
	if !isolated(t) {
		return
	}
	have := readFile(t, "/sys/fs/cgroup/cgroup.controllers")
	g := newGroup(t, Config{Path: "/all/of/them"})
	got := readFile(t, g.Paths()[""], "cgroup.controllers")
	for _, c := range standard {
		if hasField(have, c) && !hasField(got, c) {
			t.Errorf("the host has %q, the container %q: no %s", have, got, c)
		}
	}
}
