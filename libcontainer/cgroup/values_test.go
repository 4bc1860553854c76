// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestUnifiedValues sets each resource and reads its file back.
func TestUnifiedValues(t *testing.T) {
	if !isolated(t) {
		return
	}
	have := readFile(t, "/sys/fs/cgroup/cgroup.controllers")
	cpu := func(c specs.LinuxCPU) *specs.LinuxResources { return &specs.LinuxResources{CPU: &c} }
	mem := func(m specs.LinuxMemory) *specs.LinuxResources { return &specs.LinuxResources{Memory: &m} }
	unified := func(k, v string) *specs.LinuxResources {
		return &specs.LinuxResources{Unified: map[string]string{k: v}}
	}
	const mb = int64(1 << 20)
	tested := 0
	for _, c := range []struct {
		controller string
		resources  *specs.LinuxResources
		want       string // file=value ..., with _ for blanks in values
	}{
		{"cpu", cpu(specs.LinuxCPU{Shares: ptr(uint64(1024))}), "cpu.weight=100"},
		{"cpu", cpu(specs.LinuxCPU{Quota: ptr(int64(20000)), Period: ptr(uint64(50000))}), "cpu.max=20000_50000"},
		{"cpu", cpu(specs.LinuxCPU{Quota: ptr(int64(20000)), Burst: ptr(uint64(10000))}), "cpu.max=20000_100000 cpu.max.burst=10000"},
		{"cpu", cpu(specs.LinuxCPU{Shares: ptr(uint64(512)), Idle: ptr(int64(1))}), "cpu.idle=1"},
		{"cpuset", cpu(specs.LinuxCPU{Cpus: "0", Mems: "0"}), "cpuset.cpus=0 cpuset.mems=0"},
		{"memory", mem(specs.LinuxMemory{Limit: ptr(64 * mb), Swap: ptr(96 * mb), Reservation: ptr(32 * mb)}),
			"memory.max=67108864 memory.swap.max=33554432 memory.low=33554432"},
		{"memory", mem(specs.LinuxMemory{Limit: ptr(64 * mb), Swap: ptr(64 * mb)}), "memory.swap.max=0"},
		{"memory", mem(specs.LinuxMemory{Limit: ptr(int64(-1))}), "memory.max=max memory.swap.max=max"},
		{"memory", unified("memory.high", "1048576"), "memory.high=1048576"},
		{"pids", &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(33))}}, "pids.max=33"},
		{"pids", &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(0))}}, "pids.max=1"},
		{"pids", &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(-1))}}, "pids.max=max"},
		{"hugetlb", &specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4 << 20}}},
			"hugetlb.2MB.max=4194304 hugetlb.2MB.rsvd.max=4194304"},
	} {
		if !hasField(have, c.controller) {
			t.Logf("not tested, no %s in %q: %s", c.controller, have, c.want)
			continue
		}
		g := newGroup(t, Config{Resources: c.resources, Path: "/values/" + strings.Trim(c.controller, "/")})
		if err := g.Limit(); err != nil {
			t.Errorf("%s: %v", c.want, err)
			continue
		}
		tested++
		for pair := range strings.FieldsSeq(c.want) {
			file, value, _ := strings.Cut(pair, "=")
			if got := strings.ReplaceAll(readFile(t, g.Paths()[""], file), " ", "_"); got != value {
				t.Errorf("%s is %q, want %q", file, got, value)
			}
		}
		if err := g.Remove(soon()); err != nil {
			t.Fatal(err)
		}
	}
	if tested == 0 {
		t.Skipf("the host's cgroup v2 has none of the controllers: %q", have)
	}
}

func TestUnifiedCheckBeforeUpdate(t *testing.T) {
	if !isolated(t) {
		return
	}
	if have := readFile(t, "/sys/fs/cgroup/cgroup.controllers"); !hasField(have, "memory") {
		t.Skipf("no memory controller in cgroup v2: %q", have)
	}
	g := newGroup(t, Config{ID: "check"})
	spawn(t, g, "sleep")
	g.resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(4096)), CheckBeforeUpdate: ptr(true)}}
	var f *FieldError
	if err := g.Limit(); !errors.As(err, &f) || f.Field != "linux.resources.memory.limit" {
		t.Errorf("a limit below what is in use: %v", err)
	}
	if pids, err := g.Pids(); err != nil || len(pids) != 1 {
		t.Errorf("after it: %v, %v", pids, err)
	}
}

// OOM kills are counted.
func TestUnifiedOOMKills(t *testing.T) {
	if !isolated(t) {
		return
	}
	g := newGroup(t, Config{ID: "oom", Resources: &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(16 << 20)), Swap: ptr(int64(16 << 20))}}})
	if n, err := g.OOMKills(); n != 0 || err != nil {
		t.Fatalf("OOMKills() = %d, %v in a new cgroup", n, err)
	}
	if have := readFile(t, "/sys/fs/cgroup/cgroup.controllers"); !hasField(have, "memory") {
		t.Skipf("no memory controller in cgroup v2: %q", have)
	}
	if err := g.Limit(); err != nil {
		t.Fatal(err)
	}
	awaitReaped(t, spawn(t, g, "eat"))
	if n, err := g.OOMKills(); n == 0 || err != nil {
		t.Fatalf("OOMKills() = %d, %v after the kernel killed", n, err)
	}
}
