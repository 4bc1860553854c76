package store

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
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

// One command at a time is at work on a container: the next one waits.
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

// Who reads without the lock sees the old record or the new one, never a part.
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
