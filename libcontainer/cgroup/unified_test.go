// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestUnifiedLife(t *testing.T) {
	if !isolated(t) {
		return
	}
	g := newGroup(t, Config{Path: "/a/b/c"})
	if got := g.Paths(); len(got) != 1 || got[""] != "/sys/fs/cgroup/a/b/c" {
		t.Fatalf("Paths() = %v", got)
	}
	if err := g.Limit(); err != nil {
		t.Fatal(err)
	}
	pid := spawn(t, g, "sleep")
	if pids, err := g.Pids(); err != nil || !slices.Equal(pids, []int{pid}) {
		t.Fatalf("Pids() = %v, %v; want %d", pids, err, pid)
	}
	loaded, err := Load(g.Paths())
	if err != nil {
		t.Fatal(err)
	}
	if err := loaded.Freeze(soon()); err != nil {
		t.Fatal(err)
	}
	if on, err := g.Frozen(); err != nil || !on {
		t.Fatalf("Frozen() = %v, %v after Freeze", on, err)
	}
	if got := readFile(t, "/sys/fs/cgroup/a/b/c/cgroup.events"); !strings.Contains(got, "frozen 1") {
		t.Fatalf("Freeze returned with cgroup.events %q", got)
	}
	if err := loaded.Thaw(soon()); err != nil {
		t.Fatal(err)
	}
	if on, err := g.Frozen(); err != nil || on {
		t.Fatalf("Frozen() = %v, %v after Thaw", on, err)
	}
	if err := loaded.Freeze(soon()); err != nil { // a frozen cgroup can be killed
		t.Fatal(err)
	}
	if err := loaded.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := loaded.Remove(soon()); err != nil {
		t.Fatal(err)
	}
	awaitReaped(t, pid)
	if pids, err := g.Pids(); err != nil || len(pids) > 0 {
		t.Fatalf("Pids() of what is gone = %v, %v", pids, err)
	}
	if on, err := g.Frozen(); err != nil || on {
		t.Fatalf("Frozen() of what is gone = %v, %v", on, err)
	}
	// Kill and Remove accept a group that does not exist.
	if err := errors.Join(g.Kill(), g.Remove(soon())); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/sys/fs/cgroup/a/b"); err != nil {
		t.Fatalf("the cgroup above is not ours to remove: %v", err)
	}
	os.Remove("/sys/fs/cgroup/a/b")
	os.Remove("/sys/fs/cgroup/a")
}

// A container may make cgroups in its own, move processes there and continue to fork.
func TestUnifiedKillSubCgroups(t *testing.T) {
	if !isolated(t) {
		return
	}
	g := newGroup(t, Config{ID: "nested"})
	top := g.Paths()[""]
	for _, sub := range []string{"x", "x/y", "z"} {
		if err := os.Mkdir(filepath.Join(top, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s, err := g.Sub(map[string]string{"": "x/y"})
	if err != nil {
		t.Fatal(err)
	}
	forker, sleeper := spawn(t, s, "forks"), spawn(t, g, "sleep")
	for deadline := soon(); ; {
		pids, err := g.Pids()
		if err != nil {
			t.Fatal(err)
		}
		if len(pids) > 5 && slices.Contains(pids, forker) && slices.Contains(pids, sleeper) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("Pids() = %v; want %d, %d and children", pids, forker, sleeper)
		}
	}
	if err := g.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := g.Remove(soon()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(top); !os.IsNotExist(err) {
		t.Fatalf("%s: %v", top, err)
	}
}

func TestUnifiedRemoveWaits(t *testing.T) {
	if !isolated(t) {
		return
	}
	g := newGroup(t, Config{ID: "busy"})
	pid := spawn(t, g, "sleep")
	began := time.Now()
	err := g.Remove(time.Now().Add(50 * time.Millisecond))
	if !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), "still running: [") {
		t.Fatalf("Remove of a cgroup in use: %v", err)
	}
	if d := time.Since(began); d < 50*time.Millisecond || d > 2*time.Second {
		t.Fatalf("Remove kept to its deadline of 50 ms by returning after %v", d)
	}
	time.AfterFunc(30*time.Millisecond, func() { _ = unix.Kill(pid, unix.SIGKILL) })
	if err := g.Remove(soon()); err != nil {
		t.Fatal(err)
	}
}

func TestUnifiedEventDeadline(t *testing.T) {
	if !isolated(t) {
		return
	}
	d, err := openDir(newGroup(t, Config{}).Paths()[""])
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if ok, err := d.awaitEvent("frozen", "1", time.Now().Add(20*time.Millisecond)); ok || err != nil {
		t.Fatalf("not frozen, but %v, %v", ok, err)
	}
	time.AfterFunc(20*time.Millisecond, func() { _ = d.write("cgroup.freeze", "1") })
	if ok, err := d.awaitEvent("frozen", "1", soon()); !ok || err != nil {
		t.Fatalf("frozen meanwhile, but %v, %v", ok, err)
	}
	if err := d.write("cgroup.freeze", "0"); err != nil {
		t.Fatal(err)
	}
}

// Thaw fails if a cgroup above stays frozen.
func TestUnifiedFrozenAbove(t *testing.T) {
	if !isolated(t) {
		return
	}
	top := newGroup(t, Config{ID: "top"})
	below := newGroup(t, Config{Path: "/top/below"})
	if err := errors.Join(top.Freeze(soon()), below.Freeze(soon())); err != nil {
		t.Fatal(err)
	}
	err := below.Thaw(time.Now().Add(20 * time.Millisecond))
	if err == nil || !strings.Contains(err.Error(), `timed out waiting for "frozen 0" in /sys/fs/cgroup/top/below/cgroup.events`) {
		t.Errorf("Thaw below a frozen cgroup: %v", err)
	}
	if err := top.Thaw(soon()); err != nil {
		t.Fatal(err)
	}
}

func TestUnifiedRefusals(t *testing.T) {
	if !isolated(t) {
		return
	}
	for _, c := range []Config{
		{Path: "/"}, {Path: "/.."}, {Path: "/harness"}, {Path: "/harness/../harness/"}, {Path: "/a/.."},
	} {
		_, err := New(c)
		if !errors.Is(err, ErrProtected) || !strings.HasPrefix(err.Error(), "linux.cgroupsPath: ") {
			t.Errorf("New(%q): %v", c.Path, err)
		}
	}
	// A cgroup below the caller's own is allowed.
	if _, err := New(Config{Path: "/harness/below"}); err != nil {
		t.Error(err)
	}

	g := newGroup(t, Config{ID: "used"})
	spawn(t, g, "sleep")
	if _, err := New(Config{ID: "used"}); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("New in a cgroup with a process: %v", err)
	}
	again := &Group{members: g.members}
	if err := again.Create(); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("Create in a cgroup with a process: %v", err)
	}
	if pids, err := g.Pids(); err != nil || len(pids) != 1 {
		t.Errorf("after a refused Create: %v, %v", pids, err)
	}
	frozen := newGroup(t, Config{Path: "/ice/cube"})
	if err := frozen.Freeze(soon()); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Path: "/ice/cube"}); !errors.Is(err, ErrFrozen) {
		t.Errorf("New in a frozen cgroup: %v", err)
	}
	below, err := New(Config{Path: "/ice/cube/x/y"})
	if err != nil {
		t.Fatal(err)
	}
	if err := below.Create(); !errors.Is(err, ErrFrozen) {
		t.Errorf("Create below a frozen cgroup: %v", err)
	}
	if _, err := os.Stat("/sys/fs/cgroup/ice/cube/x"); !os.IsNotExist(err) {
		t.Errorf("a failed Create left something: %v", err)
	}
	if err := frozen.Thaw(soon()); err != nil {
		t.Fatal(err)
	}
}

// The functions that kill must not trust the paths of the group.
func TestUnifiedProtected(t *testing.T) {
	if !isolated(t) {
		return
	}
	other := newGroup(t, Config{ID: "bystander"})
	spawn(t, other, "sleep")
	for _, p := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/harness"} {
		g, err := Load(map[string]string{"": p})
		if err != nil {
			t.Fatal(err)
		}
		for name, err := range map[string]error{
			"Kill":   g.Kill(),
			"Freeze": g.Freeze(soon()),
			"Remove": g.Remove(time.Now().Add(10 * time.Millisecond)),
		} {
			if !errors.Is(err, ErrProtected) {
				t.Errorf("%s of %s: %v", name, p, err)
			}
		}
	}
	if pids, err := other.Pids(); err != nil || len(pids) != 1 {
		t.Errorf("the bystander: %v, %v", pids, err)
	}
	dir := t.TempDir()
	g, err := Load(map[string]string{"": dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Remove(soon()); !errors.Is(err, errNotCgroup) {
		t.Errorf("Remove of an empty directory elsewhere: %v", err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/sys/fs/cgroup/bystander", link); err != nil {
		t.Fatal(err)
	}
	if _, err := openDir(link); !errors.Is(err, unix.ELOOP) {
		t.Errorf("openDir of a symbolic link: %v", err)
	}
}

// A limit whose controller the host lacks is an error that names the field.
func TestUnifiedMissingController(t *testing.T) {
	if !isolated(t) {
		return
	}
	have := readFile(t, "/sys/fs/cgroup/cgroup.controllers")
	if strings.Contains(have, "rdma") || strings.Contains(have, "misc") {
		t.Skipf("the host has all controllers: %s", have)
	}
	for field, r := range map[string]*specs.LinuxResources{
		`linux.resources.rdma["mlx"]`:         {Rdma: map[string]specs.LinuxRdma{"mlx": {HcaHandles: ptr(uint32(1))}}},
		`linux.resources.unified["misc.max"]`: {Unified: map[string]string{"misc.max": "x 1"}},
		`linux.resources.network.classID`:     {Network: &specs.LinuxNetwork{ClassID: ptr(uint32(1))}},
	} {
		g := newGroup(t, Config{Resources: r})
		var f *FieldError
		if err := g.Limit(); !errors.As(err, &f) || f.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestUnifiedKey(t *testing.T) {
	if !isolated(t) {
		return
	}
	g := newGroup(t, Config{Resources: &specs.LinuxResources{Unified: map[string]string{
		"cgroup.max.depth": "7", "cgroup.max.descendants": "9"}}})
	if err := g.Limit(); err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, g.Paths()[""], "cgroup.max.depth"); got != "7" {
		t.Errorf("cgroup.max.depth is %q", got)
	}
	for _, key := range []string{"../harness/cgroup.max.depth", "a/b.c", "nodot", ".x", "x.", ""} {
		g.resources.Unified = map[string]string{key: "1"}
		if err := g.Limit(); err == nil || !strings.Contains(err.Error(), "linux.resources.unified[") {
			t.Errorf("key %q: %v", key, err)
		}
	}
}

func TestUnifiedSub(t *testing.T) {
	if !isolated(t) {
		return
	}
	g := newGroup(t, Config{ID: "foo"})
	newGroup(t, Config{ID: "foobar"})
	for _, sub := range []string{"../foobar", "..", "/../foobar", "x/../../foobar", "missing"} {
		if s, err := g.Sub(map[string]string{"": sub}); err == nil {
			t.Errorf("Sub(%q) = %v", sub, s.Paths())
		}
	}
	if _, err := g.Sub(map[string]string{"cpu": "x"}); err == nil || !strings.Contains(err.Error(), `controller "cpu"`) {
		t.Errorf("Sub of a v1 controller: %v", err)
	}
	for _, sub := range []string{"/", ".", ""} {
		s, err := g.Sub(map[string]string{"": sub})
		if err != nil || s.Paths()[""] != g.Paths()[""] {
			t.Errorf("Sub(%q): %v", sub, err)
		}
	}
}

// The init of a container that manages cgroups itself is in a cgroup below the
// container's.
func TestUnifiedOf(t *testing.T) {
	if !isolated(t) {
		return
	}
	g := newGroup(t, Config{Path: "/of/me"})
	if err := os.Mkdir(filepath.Join(g.Paths()[""], "init"), 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := g.Sub(map[string]string{"": "init"})
	if err != nil {
		t.Fatal(err)
	}
	pid := spawn(t, s, "sleep")
	at, err := g.Of(pid)
	if err != nil || at.Paths()[""] != "/sys/fs/cgroup/of/me/init" {
		t.Fatalf("Of(%d) = %v, %v", pid, at, err)
	}
	if at, err := g.Of(os.Getpid()); err == nil {
		t.Fatalf("Of(stranger) = %v", at.Paths())
	}
}

func TestUnifiedDelegate(t *testing.T) {
	if !isolated(t) {
		return
	}
	g := newGroup(t, Config{ID: "owned", OwnerUID: ptr(4321)})
	top := g.Paths()[""]
	owner := func(p string) uint32 {
		fi, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		return fi.Sys().(*syscall.Stat_t).Uid
	}
	entries, err := os.ReadDir(top)
	if err != nil {
		t.Fatal(err)
	}
	if owner(top) != 4321 {
		t.Errorf("the directory's owner is %d", owner(top))
	}
	for _, e := range entries {
		want := uint32(0)
		if slices.Contains(delegatedFiles(), e.Name()) {
			want = 4321
		}
		if got := owner(filepath.Join(top, e.Name())); got != want {
			t.Errorf("%s: owner %d, want %d", e.Name(), got, want)
		}
	}
}
