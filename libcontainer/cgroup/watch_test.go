// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// woken waits until the watch wakes; it returns false after the timeout.
func woken(t *testing.T, w *Watch, timeout time.Duration) bool {
	t.Helper()
	for end := time.Now().Add(timeout); ; {
		left := max(0, time.Until(end))
		n, err := unix.Poll(w.PollFds(), int(left.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
}

func watchGroup(t *testing.T, g *Group) *Watch {
	t.Helper()
	w, err := g.Watch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	if n, err := w.OOMs(); n != 0 || err != nil {
		t.Fatalf("OOMs() = %d, %v in a new cgroup", n, err)
	}
	return w
}

// oomWatched has the OOM killer kill a process, and checks that the watch counts it.
func oomWatched(t *testing.T) {
	g := newGroup(t, Config{Resources: &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(16 << 20)), Swap: ptr(int64(16 << 20))}}})
	if err := g.Limit(); err != nil {
		t.Skipf("no limit of memory: %v", err)
	}
	w := watchGroup(t, g)
	pid := spawn(t, g, "eat")
	var ooms uint64
	for end := soon(); ooms == 0 && time.Now().Before(end); {
		woken(t, w, time.Second)
		n, err := w.OOMs()
		if err != nil {
			t.Fatal(err)
		}
		ooms += n
	}
	awaitReaped(t, pid)
	if ooms != 1 {
		t.Errorf("%d times out of memory, want 1", ooms)
	}
	if err := g.Remove(soon()); err != nil {
		t.Fatal(err)
	}
	if n, err := w.OOMs(); n != 0 || err != nil {
		t.Errorf("OOMs() = %d, %v of a cgroup that is gone", n, err)
	}
}

func TestLegacyWatchOOM(t *testing.T) {
	legacyHost(t)
	oomWatched(t)
}

func TestUnifiedWatchOOM(t *testing.T) {
	if isolated(t) {
		oomWatched(t)
	}
}

func TestUnifiedWatchFreezer(t *testing.T) {
	if !isolated(t) {
		return
	}
	g := newGroup(t, Config{Path: "/watched"})
	spawn(t, g, "sleep")
	w := watchGroup(t, g)
	quiet := func() {
		t.Helper()
		for end := soon(); woken(t, w, 50*time.Millisecond); {
			if _, err := w.OOMs(); err != nil {
				t.Fatal(err)
			}
			if time.Now().After(end) {
				t.Fatal("it wakes for nothing")
			}
		}
	}
	quiet() // a new process is an event too
	for range 2 {
		if err := g.Freeze(soon()); err != nil {
			t.Fatal(err)
		}
		if !woken(t, w, 10*time.Second) {
			t.Error("a freeze does not wake")
		}
		quiet()
		if err := g.Thaw(soon()); err != nil {
			t.Fatal(err)
		}
		if !woken(t, w, 10*time.Second) {
			t.Error("a thaw does not wake")
		}
		quiet()
	}
}
