// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func entry(t *testing.T) (root string, e *Entry) {
	t.Helper()
	root = filepath.Join(t.TempDir(), "root")
	e = At(root, "web")
	if err := e.Make(&Record{ID: "web"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Unlock)
	return root, e
}

// Only one command at a time works on a container; the next one waits.
func TestLockExcludes(t *testing.T) {
	root, e := entry(t)
	other := At(root, "web")
	if busy, err := other.Busy(); err != nil || !busy {
		t.Fatalf("Busy while another has the lock: %v, %v", busy, err)
	}
	locked := make(chan error, 1)
	go func() { locked <- other.Lock() }()
	select {
	case err := <-locked:
		t.Fatalf("two have the lock: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	e.Unlock()
	if err := <-locked; err != nil {
		t.Fatal(err)
	}
	other.Unlock()
	if busy, err := e.Busy(); err != nil || busy {
		t.Fatalf("Busy when nobody has the lock: %v, %v", busy, err)
	}
}

// A reader without the lock sees either the old record or the new one, never part of one.
func TestWriteReplaces(t *testing.T) {
	_, e := entry(t)
	if err := e.Write(&Record{ID: "web", Pid: 1}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(e.Path(), recordFile)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := e.Prepare(&Record{ID: "web", Pid: 2}); err != nil {
		t.Fatal(err)
	}
	if r, err := e.Read(); err != nil || r.Pid != 1 {
		t.Fatalf("prepared, not committed: %+v, %v", r, err)
	}
	if err := e.Commit(); err != nil {
		t.Fatal(err)
	}
	if r, err := e.Read(); err != nil || r.Pid != 2 {
		t.Fatalf("committed: %+v, %v", r, err)
	}
	if b, err := io.ReadAll(reader); err != nil || string(b) != string(old) {
		t.Fatalf("the record was written in place: %q, %v", b, err)
	}
}

// A process that gets the lock of a directory that was removed meanwhile cannot affect the
// next container of that id.
func TestLockOfRemoved(t *testing.T) {
	root, e := entry(t)
	late := At(root, "web")
	removed, err := late.open()
	if err != nil {
		t.Fatal(err)
	}
	locked := make(chan error, 1)
	go func() { locked <- late.Lock() }()
	for busy := false; !busy; { // until it waits
		b, err := os.ReadFile("/proc/locks")
		if err != nil {
			t.Fatal(err)
		}
		busy = bytes.Contains(b, []byte("-> FLOCK"))
	}
	if err := e.Remove(); err != nil {
		t.Fatal(err)
	}
	next := At(root, "web")
	if err := next.Make(&Record{ID: "web", Bundle: "next"}); err != nil {
		t.Fatal(err)
	}
	defer next.Unlock()
	e.Unlock()
	if err := <-locked; !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("locked after a wait: %v", err)
	}
	// Without waiting, Lock does not check; then Read finds nothing.
	late.lock = removed.fd
	defer late.Unlock()
	if r, err := late.Read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read: %+v, %v", r, err)
	}
	for what, err := range map[string]error{
		"write": late.Write(&Record{ID: "web"}), "prepare": late.Prepare(&Record{ID: "web", Pid: 1}), "config": late.PutConfig(nil),
		"first": late.writeFirst(nil),
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if r, err := next.Read(); err != nil || r.Bundle != "next" {
		t.Errorf("the next container: %+v, %v", r, err)
	}
}

// A directory that one process makes and another locks first belongs to the second.
func TestMakeLate(t *testing.T) {
	root, quick := entry(t)
	if err := quick.Prepare(&Record{ID: "web", Pid: 7, Bundle: "quick"}); err != nil {
		t.Fatal(err)
	}
	if err := quick.Commit(); err != nil {
		t.Fatal(err)
	}
	quick.Unlock()
	late := At(root, "web")
	if err := late.Lock(); err != nil {
		t.Fatal(err)
	}
	defer late.Unlock()
	before := content(t, quick)
	if err := late.writeFirst(late.encode(&Record{ID: "web"})); !errors.Is(err, fs.ErrExist) {
		t.Errorf("it was taken: %v", err)
	}
	if after := content(t, quick); !maps.Equal(before, after) {
		t.Errorf("it was changed:\n%v\n%v", before, after)
	}
	// The same if the other process was killed before it was done.
	if err := os.Remove(filepath.Join(quick.Path(), spareFile)); err != nil {
		t.Fatal(err)
	}
	before = content(t, quick)
	if err := late.writeFirst(late.encode(&Record{ID: "web"})); !errors.Is(err, fs.ErrExist) {
		t.Errorf("it was taken: %v", err)
	}
	if after := content(t, quick); !maps.Equal(before, after) {
		t.Errorf("it was changed:\n%v\n%v", before, after)
	}
}

// content returns the regular files of a container's directory.
func content(t *testing.T, e *Entry) map[string]string {
	t.Helper()
	all := make(map[string]string)
	entries, err := os.ReadDir(e.Path())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range entries {
		if f.Type().IsRegular() {
			b, err := os.ReadFile(filepath.Join(e.Path(), f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			all[f.Name()] = string(b)
		}
	}
	return all
}

// A process that has made a container has exclusive use of it until it is done, however
// many others make and remove it.
func TestMakeExcludes(t *testing.T) {
	root := t.TempDir()
	end := time.Now().Add(time.Second)
	var all sync.WaitGroup
	var made atomic.Int64
	for n := range 6 {
		all.Go(func() {
			for time.Now().Before(end) {
				if n%2 == 0 {
					if makeOnce(t, root, fmt.Sprint(n)) {
						made.Add(1)
					}
				} else {
					removeOnce(t, root)
				}
			}
		})
	}
	all.Wait()
	if made.Load() == 0 {
		t.Error("nothing was made")
	}
}

func makeOnce(t *testing.T, root, name string) bool {
	e := At(root, "web")
	err := e.Make(&Record{ID: "web", Bundle: name})
	if errors.Is(err, fs.ErrExist) {
		return false
	}
	if err != nil {
		t.Error(err)
		return false
	}
	defer e.Unlock()
	steps := []error{e.PutConfig([]byte(name)), e.Prepare(&Record{ID: "web", Bundle: name, Pid: 1}), e.Commit()}
	r, err := At(root, "web").Read()
	if err := errors.Join(append(steps, err)...); err != nil || r.Bundle != name {
		t.Errorf("%+v, %v", r, err)
	}
	return true
}

func removeOnce(t *testing.T, root string) {
	e := At(root, "web")
	defer e.Unlock()
	err := e.Lock()
	if err == nil {
		_, err = e.Read()
	}
	if err == nil {
		err = e.Remove()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// The configuration is replaced as a whole, and no other file is left.
func TestConfig(t *testing.T) {
	_, e := entry(t)
	if _, err := e.Config(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is none yet: %v", err)
	}
	for i, put := range []func([]byte) error{e.PutConfig, e.ReplaceConfig, e.ReplaceConfig} {
		want := fmt.Sprint(i)
		err := put([]byte(want))
		b, readErr := e.Config()
		if err := errors.Join(err, readErr); err != nil || string(b) != want {
			t.Errorf("%d: %q, %v", i, b, err)
		}
	}
	if all := content(t, e); len(all) != 2 {
		t.Errorf("there is more than the record and the configuration: %v", all)
	}
}

// Neither what is not a directory nor the runtime's own directories are containers.
func TestList(t *testing.T) {
	root, _ := entry(t)
	for _, dir := range []string{"a", Private + "cache"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if ids, err := List(root); err != nil || !slices.Equal(ids, []string{"a", "web"}) {
		t.Errorf("%q, %v", ids, err)
	}
	if ids, err := List(filepath.Join(root, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%q, %v", ids, err)
	}
}

// If no directory can be made, the error says so and nothing is left.
func TestNotMade(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for root, want := range map[string]error{file: unix.ENOTDIR, filepath.Join(file, "root"): unix.ENOTDIR} {
		e := At(root, "web")
		if err := e.Make(&Record{ID: "web"}); !errors.Is(err, want) {
			t.Errorf("%s: %v", root, err)
		}
		if _, err := e.Busy(); !errors.Is(err, want) {
			t.Errorf("%s: busy: %v", root, err)
		}
		if _, err := e.gone(); !errors.Is(err, want) {
			t.Errorf("%s: gone: %v", root, err)
		}
	}
}

// A restored container has a different first process than before.
func TestPrepareAgain(t *testing.T) {
	_, e := entry(t)
	for pid := 1; pid <= 2; pid++ {
		want := fmt.Sprintf("%d 7/9 boot", pid)
		if err := e.Prepare(&Record{ID: "web", Pid: pid, StartTime: 7, Inode: 9, BootID: "boot"}); err != nil {
			t.Fatal(err)
		}
		if text, err := e.dir().Linked(initLink); err != nil || text != want {
			t.Errorf("%q, %v; expected %q", text, err, want)
		}
	}
}
