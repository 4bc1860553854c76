// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// These tests run in the host's own v1 hierarchies. Their cgroups have unique names and
// hold only their own child processes.

// On a host with cgroup v1 a cgroup made by systemd is refused.
func TestLegacyForeign(t *testing.T) {
	legacyHost(t)
	_, err := New(Config{Path: "/system.slice/skiff-web.scope", Foreign: true})
	if !errors.Is(err, ErrForeignLegacy) || !strings.Contains(err.Error(), "requires a host with cgroup v2 only") {
		t.Errorf("%v, expected that v1 is refused", err)
	}
}

func TestLegacyLife(t *testing.T) {
	all := legacyHost(t)
	g := newGroup(t, Config{Path: fmt.Sprintf("/skiff-test-%d/deep", os.Getpid())})
	t.Cleanup(func() {
		for _, h := range all {
			_ = unix.Rmdir(filepath.Join(h.mount, fmt.Sprintf("skiff-test-%d", os.Getpid())))
		}
	})
	if len(g.members) != len(all) {
		t.Fatalf("%d hierarchies, group in %d", len(all), len(g.members))
	}
	if err := g.Limit(); err != nil {
		t.Fatal(err)
	}
	pid := spawn(t, g, "sleep")
	for name, p := range g.Paths() {
		if got := readFile(t, p, "cgroup.procs"); got != fmt.Sprint(pid) {
			t.Errorf("%q: processes %q, want %d", name, got, pid)
		}
	}
	g, err := Load(g.Paths())
	if err != nil {
		t.Fatal(err)
	}
	if pids, err := g.Pids(); err != nil || !slices.Equal(pids, []int{pid}) {
		t.Fatalf("Pids() = %v, %v; want %d", pids, err, pid)
	}
	if err := g.Freeze(soon()); err != nil {
		t.Fatal(err)
	}
	if on, err := g.Frozen(); err != nil || !on {
		t.Fatalf("Frozen() = %v, %v after Freeze", on, err)
	}
	if err := g.Thaw(soon()); err != nil {
		t.Fatal(err)
	}
	if on, err := g.Frozen(); err != nil || on {
		t.Fatalf("Frozen() = %v, %v after Thaw", on, err)
	}
	if _, err := New(Config{Path: fmt.Sprintf("/skiff-test-%d/deep", os.Getpid())}); !errors.Is(err, ErrNotEmpty) {
		t.Fatalf("New in a cgroup in use: %v", err)
	}
	if err := errors.Join(g.Kill(), g.Remove(soon())); err != nil {
		t.Fatal(err)
	}
	awaitReaped(t, pid)
	if err := errors.Join(g.Kill(), g.Remove(soon())); err != nil {
		t.Fatalf("again: %v", err)
	}
}

// onlyLegacy returns the group without the unified hierarchy, as on a pure v1 host:
// without cgroup.kill and v2's freezer.
func onlyLegacy(g *Group) *Group {
	return &Group{
		members:   slices.DeleteFunc(slices.Clone(g.members), func(m member) bool { return m.unified() }),
		resources: g.resources,
	}
}

func TestLegacyKillForks(t *testing.T) {
	legacyHost(t)
	g := onlyLegacy(newGroup(t, Config{}))
	m := g.legacy("freezer")
	if m == nil {
		t.Skip("the host has no freezer in cgroup v1")
	}
	sub := filepath.Join(m.path, "sub")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	pid := spawn(t, g, "forks")
	for deadline := soon(); ; time.Sleep(time.Millisecond) {
		if pids, err := g.Pids(); err != nil || len(pids) > 5 && slices.Contains(pids, pid) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the helper makes no processes")
		}
	}
	if err := os.WriteFile(sub+"/cgroup.procs", fmt.Append(nil, pid), 0); err != nil {
		t.Fatal(err)
	}
	for _, frozen := range []bool{true, false} {
		if frozen {
			if err := g.Freeze(soon()); err != nil {
				t.Fatal(err)
			}
			if s := readFile(t, m.path, "freezer.state"); s != "FROZEN" {
				t.Fatalf("freezer.state is %s after Freeze", s)
			}
		} else {
			spawn(t, g, "forks")
		}
		if err := g.Kill(); err != nil {
			t.Fatal(err)
		}
		for deadline := soon(); ; time.Sleep(time.Millisecond) {
			pids, err := g.legacyPids()
			if err != nil {
				t.Fatal(err)
			}
			if len(pids) == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("after Kill: %v", pids)
			}
		}
	}
}

// Each v1 hierarchy alone refuses a cgroup that has processes or is frozen, as on a
// host without cgroup v2.
func TestLegacyRefusals(t *testing.T) {
	legacyHost(t)
	id := fmt.Sprintf("skiff-test-%d-refused", os.Getpid())
	g := newGroup(t, Config{ID: id})
	old := onlyLegacy(g)
	spawn(t, g, "sleep")
	for i := range old.members {
		if err := old.members[i].checkFreeIfThere(); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("%s, in use: %v", old.members[i].path, err)
		}
	}
	if old.legacy("freezer") == nil {
		t.Skip("the host has no freezer in cgroup v1")
	}
	ice := newGroup(t, Config{ID: id + "-ice"})
	if err := onlyLegacy(ice).Freeze(soon()); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{ID: id + "-ice"}); !errors.Is(err, ErrFrozen) {
		t.Errorf("New in a frozen cgroup: %v", err)
	}
	if on, err := ice.Frozen(); err != nil || !on {
		t.Errorf("frozen by v1's freezer: %v, %v", on, err)
	}
	if err := onlyLegacy(ice).Thaw(soon()); err != nil {
		t.Fatal(err)
	}
}

// Which of two values must be written first depends on the present ones.
func TestLegacyOrder(t *testing.T) {
	legacyHost(t)
	g := newGroup(t, Config{})
	m := g.legacy("memory")
	if m == nil {
		t.Skip("the host has no memory controller in cgroup v1")
	}
	if _, err := m.read("memory.memsw.limit_in_bytes"); err != nil {
		t.Skipf("the host does not count swap: %v", err)
	}
	const mb = int64(1 << 20)
	for _, l := range []int64{64 * mb, 256 * mb, 32 * mb} { // up and down
		g.resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &l, Swap: &l}}
		if err := g.Limit(); err != nil {
			t.Errorf("limit and swap of %d: %v", l, err)
		}
		for _, file := range []string{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes"} {
			if got := readFile(t, m.path, file); got != fmt.Sprint(l) {
				t.Errorf("%s is %s, want %d", file, got, l)
			}
		}
	}
}

func TestLegacyDevices(t *testing.T) {
	legacyHost(t)
	kmsg := func(allow bool, access string) specs.LinuxDeviceCgroup {
		return specs.LinuxDeviceCgroup{Allow: allow, Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(11)), Access: access}
	}
	all := specs.LinuxDeviceCgroup{Allow: true, Access: "rwm"}
	const denied = "null:ok,ok,ok kmsg:ok,EPERM,EPERM "
	for name, c := range map[string]struct {
		resources *specs.LinuxResources
		want      string
	}{
		"no resources":  {nil, denied},
		"null devices":  {&specs.LinuxResources{}, denied},
		"all":           {&specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{all}}, "null:ok,ok,ok kmsg:ok,ok,ok "},
		"read":          {&specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{kmsg(true, "r")}}, "null:ok,ok,ok kmsg:ok,ok,EPERM "},
		"all but write": {&specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{all, kmsg(false, "w")}}, "null:ok,ok,ok kmsg:ok,ok,EPERM "},
		"taken back":    {&specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{kmsg(true, "rw"), kmsg(false, "rw")}}, denied},
	} {
		g := newGroup(t, Config{Resources: c.resources})
		if g.legacy("devices") == nil {
			t.Skip("the host has no devices controller in cgroup v1")
		}
		if err := g.Limit(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := devicesIn(t, g, "after-stdin"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestLegacyValues sets each resource and reads its file back.
func TestLegacyValues(t *testing.T) {
	legacyHost(t)
	cpu := func(c specs.LinuxCPU) *specs.LinuxResources { return &specs.LinuxResources{CPU: &c} }
	mem := func(m specs.LinuxMemory) *specs.LinuxResources { return &specs.LinuxResources{Memory: &m} }
	const mb = int64(1 << 20)
	for _, c := range []struct {
		controller string
		resources  *specs.LinuxResources
		want       string // file=value ...
	}{
		{"cpu", cpu(specs.LinuxCPU{Shares: ptr(uint64(512))}), "cpu.shares=512"},
		{"cpu", cpu(specs.LinuxCPU{Shares: ptr(uint64(0)), Quota: ptr(int64(0)), Period: ptr(uint64(0))}), "cpu.shares=1024 cpu.cfs_quota_us=-1"},
		{"cpu", cpu(specs.LinuxCPU{Quota: ptr(int64(20000)), Period: ptr(uint64(50000)), Burst: ptr(uint64(10000))}),
			"cpu.cfs_quota_us=20000 cpu.cfs_period_us=50000 cpu.cfs_burst_us=10000"},
		{"cpu", cpu(specs.LinuxCPU{Quota: ptr(int64(-1))}), "cpu.cfs_quota_us=-1"},
		{"cpu", cpu(specs.LinuxCPU{Shares: ptr(uint64(512)), Idle: ptr(int64(1))}), "cpu.idle=1"},
		{"cpuset", cpu(specs.LinuxCPU{Cpus: "0", Mems: "0"}), "cpuset.cpus=0 cpuset.mems=0"},
		{"memory", mem(specs.LinuxMemory{Limit: ptr(64 * mb), Swap: ptr(96 * mb), Reservation: ptr(32 * mb), Swappiness: ptr(uint64(7)), DisableOOMKiller: ptr(true)}),
			"memory.limit_in_bytes=67108864 memory.memsw.limit_in_bytes=100663296 memory.soft_limit_in_bytes=33554432 memory.swappiness=7"},
		{"memory", mem(specs.LinuxMemory{Limit: ptr(int64(-1))}), "memory.limit_in_bytes=9223372036854771712"},
		{"memory", mem(specs.LinuxMemory{KernelTCP: ptr(16 * mb)}), "memory.kmem.tcp.limit_in_bytes=16777216"},
		{"pids", &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(33))}}, "pids.max=33"},
		{"pids", &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(0))}}, "pids.max=1"},
		{"pids", &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(-1))}}, "pids.max=max"},
		{"pids", &specs.LinuxResources{Pids: &specs.LinuxPids{}}, "pids.max=max"},
	} {
		g := newGroup(t, Config{Resources: c.resources})
		m := g.legacy(c.controller)
		if m == nil {
			t.Logf("not tested, the host has no %s in cgroup v1: %s", c.controller, c.want)
			continue
		}
		if err := g.Limit(); err != nil {
			t.Errorf("%s: %v", c.want, err)
			continue
		}
		for pair := range strings.FieldsSeq(c.want) {
			file, value, _ := strings.Cut(pair, "=")
			if got := readFile(t, m.path, file); got != value {
				t.Errorf("%s is %q, want %q", file, got, value)
			}
		}
	}
}

func TestLegacyOOMKills(t *testing.T) {
	legacyHost(t)
	g := newGroup(t, Config{Resources: &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(16 << 20)), Swap: ptr(int64(16 << 20))}}})
	if g.legacy("memory") == nil {
		t.Skip("the host has no memory controller in cgroup v1")
	}
	if err := g.Limit(); err != nil {
		t.Fatal(err)
	}
	if n, err := g.OOMKills(); n != 0 || err != nil {
		t.Fatalf("OOMKills() = %d, %v in a new cgroup", n, err)
	}
	awaitReaped(t, spawn(t, g, "eat"))
	if n, err := g.OOMKills(); n != 1 || err != nil {
		t.Fatalf("OOMKills() = %d, %v after the kernel killed", n, err)
	}
}

func TestLegacyThrottle(t *testing.T) {
	legacyHost(t)
	devices, err := os.ReadDir("/sys/block")
	if err != nil || len(devices) == 0 {
		t.Skipf("the host has no block device: %v", err)
	}
	number := readFile(t, "/sys/block", devices[0].Name(), "dev")
	var major, minor int64
	if _, err := fmt.Sscanf(number, "%d:%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	var d specs.LinuxThrottleDevice
	d.Major, d.Minor, d.Rate = major, minor, 1<<20
	g := newGroup(t, Config{Resources: &specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{
		Weight: ptr(uint16(0)), ThrottleReadBpsDevice: []specs.LinuxThrottleDevice{d}, ThrottleWriteIOPSDevice: []specs.LinuxThrottleDevice{d}}}})
	m := g.legacy("blkio")
	if m == nil {
		t.Skip("the host has no blkio in cgroup v1")
	}
	if err := g.Limit(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"blkio.throttle.read_bps_device", "blkio.throttle.write_iops_device"} {
		if got, want := readFile(t, m.path, file), number+" 1048576"; got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
}

// On a hybrid host a limit whose controller is in neither version is an error that
// names the field; so are values that are refused.
func TestLegacyMissing(t *testing.T) {
	legacyHost(t)
	for field, r := range map[string]*specs.LinuxResources{
		"linux.resources.network.classID":            {Network: &specs.LinuxNetwork{ClassID: ptr(uint32(1))}},
		"linux.resources.network.priorities[0]":      {Network: &specs.LinuxNetwork{Priorities: []specs.LinuxInterfacePriority{{Name: "lo", Priority: 1}}}},
		`linux.resources.rdma["mlx"]`:                {Rdma: map[string]specs.LinuxRdma{"mlx": {HcaHandles: ptr(uint32(1))}}},
		`linux.resources.unified["memory.high"]`:     {Unified: map[string]string{"memory.high": "1000000"}},
		"linux.resources.hugepageLimits[0].pageSize": {HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "../../x", Limit: 1}}},
		"linux.resources.blockIO.leafWeight":         {BlockIO: &specs.LinuxBlockIO{LeafWeight: ptr(uint16(100))}},
		"linux.resources.cpu.shares":                 {CPU: &specs.LinuxCPU{Shares: ptr(uint64(1))}},
		"linux.resources.cpu.cpus":                   {CPU: &specs.LinuxCPU{Cpus: "9999"}},
		"linux.resources.memory.swap":                {Memory: &specs.LinuxMemory{Limit: ptr(int64(1 << 24)), Swap: ptr(int64(1 << 23))}},
		"linux.resources.devices[0].access":          {Devices: []specs.LinuxDeviceCgroup{{Allow: true}}},
		"linux.resources.devices[1]":                 {Devices: []specs.LinuxDeviceCgroup{{Allow: true, Type: "c", Access: "r"}, {Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(11)), Access: "r"}}},
		"linux.resources.memory.useHierarchy":        {Memory: &specs.LinuxMemory{UseHierarchy: ptr(false)}},
		"linux.resources.cpu.burst":                  {CPU: &specs.LinuxCPU{Quota: ptr(int64(10000)), Burst: ptr(uint64(20000))}},
	} {
		g := newGroup(t, Config{Resources: r})
		if strings.Contains(field, "network") && (g.legacy("net_cls") != nil || g.legacy("net_prio") != nil) {
			continue
		}
		var f *FieldError
		if err := g.Limit(); !errors.As(err, &f) || f.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// The guard refuses every root and this process's own cgroup. Only the guard is called,
// and nothing that kills: if it fails, the host's processes must not be killed.
func TestLegacyProtected(t *testing.T) {
	for _, h := range legacyHost(t) {
		for _, p := range []string{h.mount, filepath.Join(h.mount, h.own)} {
			m := &member{names: []string{"freezer"}, path: p}
			if err := m.guard(); !errors.Is(err, ErrProtected) {
				t.Errorf("%s: %v", p, err)
			}
		}
		if err := notRoot(h.mount); !errors.Is(err, ErrProtected) {
			t.Errorf("the root %s: %v", h.mount, err)
		}
		if h.own == "/" || h.own == "" {
			continue
		}
		for p := h.own; p != "/"; p = filepath.Dir(p) {
			if _, err := resolve(&Config{Path: p}, &h); !errors.Is(err, ErrProtected) {
				t.Errorf("%s, the caller's own or above it: %v", p, err)
			}
		}
	}
}

// On a hybrid host a controller that is in no v1 hierarchy limits through v2.
func TestLegacyHybrid(t *testing.T) {
	legacyHost(t)
	top := cgroup2Mount(t)
	if have := readFile(t, top, "cgroup.controllers"); !hasField(have, "hugetlb") {
		t.Skipf("cgroup v2 has no hugetlb controller beside v1's; it has %q", have)
	}
	sizes, err := filepath.Glob("/sys/kernel/mm/hugepages/hugepages-2048kB")
	if err != nil || len(sizes) == 0 {
		t.Skip("the host has no huge pages of 2 MB")
	}
	g := newGroup(t, Config{Resources: &specs.LinuxResources{
		HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4 << 20}}}})
	if err := g.Limit(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"hugetlb.2MB.max", "hugetlb.2MB.rsvd.max"} {
		if got := readFile(t, g.Paths()[""], file); got != "4194304" {
			t.Errorf("%s is %s", file, got)
		}
	}
	g.resources.HugepageLimits[0].Pagesize = "3MB"
	var f *FieldError
	if err := g.Limit(); !errors.As(err, &f) || f.Field != "linux.resources.hugepageLimits[0]" {
		t.Errorf("a page size that the host lacks: %v", err)
	}
}

// A path of exec --cgroup applies to the hierarchies of the controllers that it names.
func TestLegacySub(t *testing.T) {
	legacyHost(t)
	g := newGroup(t, Config{})
	pids, cpu := g.legacy("pids"), g.legacy("cpu")
	if pids == nil || cpu == nil {
		t.Skip("the host has no v1 hierarchies of pids and cpu")
	}
	for _, dir := range []string{pids.path + "/a", pids.path + "-sibling"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Rmdir(dir) })
	}
	s, err := g.Sub(map[string]string{"pids": "a"})
	if err != nil {
		t.Fatal(err)
	}
	if s.legacy("pids").path != pids.path+"/a" || s.legacy("cpu").path != cpu.path || g.legacy("pids").path != pids.path {
		t.Errorf("sub-group in %v of %v", s.Paths(), g.Paths())
	}
	pid := spawn(t, s, "sleep")
	if got := readFile(t, pids.path, "a/cgroup.procs"); got != fmt.Sprint(pid) {
		t.Errorf("processes %q, want %d", got, pid)
	}
	for _, sub := range []string{"../" + filepath.Base(pids.path) + "-sibling", "..", "a/../..", "missing"} {
		if s, err := g.Sub(map[string]string{"pids": sub}); err == nil {
			t.Errorf("Sub(%q) = %v", sub, s.Paths())
		}
	}
	if s, err := g.Sub(map[string]string{"nosuch": "a"}); err == nil || !strings.Contains(err.Error(), `controller "nosuch"`) {
		t.Errorf("Sub of an unknown controller: %v, %v", s, err)
	}
}
