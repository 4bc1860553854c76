// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/store"
	"github.com/skiff-oci/skiff/libcontainer/sys"
)

// self returns a record whose first process is the test.
func self(t *testing.T, id string) store.Record {
	t.Helper()
	st, err := sys.ReadStat(os.Getpid())
	if err != nil || st == nil {
		t.Fatalf("%v, %v", st, err)
	}
	pidfd, err := sys.Pidfd(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer pidfd.Close()
	return store.Record{ID: id, Created: time.Now(), Pid: os.Getpid(), StartTime: st.Start, Inode: sys.PidfdInode(pidfd), BootID: sys.BootID()}
}

// The kinds of sockets that a container's directory can have.
const (
	none  = iota // it has been started
	open         // its first process waits for start
	stale        // its first process has ended, or its start was killed
)

// made makes the directory of a container.
func made(t *testing.T, h *Host, r store.Record, socket int) {
	t.Helper()
	e := store.At(h.Root, r.ID)
	if err := e.Make(&r); err != nil {
		t.Fatal(err)
	}
	defer e.Unlock()
	if socket == none {
		return
	}
	s, err := e.Listen()
	if err != nil {
		t.Fatal(err)
	}
	if socket == stale {
		s.Close()
		return
	}
	t.Cleanup(func() { s.Close() })
}

func TestStates(t *testing.T) {
	h := &Host{Root: t.TempDir()}
	gone := func(r store.Record) store.Record { r.Pid, r.Inode, r.StartTime = 1<<22+1, r.Inode+1, 1; return r }
	changed := func(r store.Record, change func(*store.Record)) store.Record { change(&r); return r }
	want := map[string]string{"created": "created", "running": "running", "ended": "stopped", "reused": "stopped", "rebooted": "stopped", "proc": "running", "hidden": "running", "left": "running", "killed": "stopped"}
	made(t, h, self(t, "created"), open)
	made(t, h, self(t, "running"), none)
	made(t, h, self(t, "left"), stale)
	made(t, h, gone(self(t, "killed")), stale)
	made(t, h, gone(self(t, "ended")), none)
	made(t, h, changed(self(t, "reused"), func(r *store.Record) { r.Inode++; r.StartTime++ }), none)
	made(t, h, changed(self(t, "rebooted"), func(r *store.Record) { r.BootID = "another" }), none)
	made(t, h, changed(self(t, "proc"), func(r *store.Record) { r.Inode = 0 }), none)
	if self(t, "").Inode != 0 { // Linux 6.9
		made(t, h, changed(self(t, "hidden"), func(r *store.Record) { r.StartTime = 0 }), none)
	} else {
		delete(want, "hidden")
	}
	if err := os.Mkdir(filepath.Join(h.Root, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	made(t, h, self(t, "damaged"), none)
	if err := os.WriteFile(filepath.Join(h.Root, "damaged/state"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	states, broken, err := h.States()
	if err != nil || len(broken) != 1 || len(states) != len(want) {
		t.Fatalf("%d states, %v, %v", len(states), broken, err)
	}
	for _, s := range states {
		if s.Status != want[s.ID] || (s.Pid == 0) != (s.Status == "stopped") {
			t.Errorf("%s is %s with pid %d, expected %s", s.ID, s.Status, s.Pid, want[s.ID])
		}
		c, err := h.Load(s.ID)
		if err != nil {
			t.Fatal(err)
		}
		if alone, err := c.State(); err != nil || alone.Status != s.Status {
			t.Errorf("%s: %v, %v alone, %s in the list", s.ID, alone, err, s.Status)
		}
	}
	ids, again, err := h.List()
	if err != nil || len(ids) != len(want) || len(again) != 1 || again[0].Error() != broken[0].Error() {
		t.Errorf("ids %v, %v, %v", ids, again, err)
	}
}

// TestListCosts bounds what a list does for each container, which is most of its time: a
// needless allocation of 4 KiB costs more than any of its system calls.
func TestListCosts(t *testing.T) {
	h := &Host{Root: t.TempDir()}
	const n = 100
	for i := range n {
		r := self(t, fmt.Sprint("c", i))
		r.Cgroups = map[string]string{"": "/sys/fs/cgroup/none/c" + fmt.Sprint(i)}
		r.Tail = []store.Step{{Op: "listen"}, {Op: "rlimit", Field: "process.rlimits[0]", Words: []string{"RLIMIT_NOFILE"}}, {Op: "exec", Field: "process.args[0]", Words: []string{"/bin/sleep"}}}
		made(t, h, r, open)
	}
	for name, c := range map[string]struct {
		list func() error
		most float64 // allocations for each container
	}{
		"states": {func() error { _, _, err := h.States(); return err }, 26},
		"ids":    {func() error { _, _, err := h.List(); return err }, 12},
	} {
		got := testing.AllocsPerRun(3, func() {
			if err := c.list(); err != nil {
				t.Fatal(err)
			}
		})
		if got/n > c.most {
			t.Errorf("%s: %.1f allocations for each container, expected at most %v", name, got/n, c.most)
		}
	}
}
