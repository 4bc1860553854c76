// SPDX-License-Identifier: Apache-2.0

package script

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	runc "github.com/containerd/go-runc"
	"github.com/skiff-oci/skiff/tests/isolate"
)

// TestGoRunc reads the output of skiff with containerd's client library.
func TestGoRunc(t *testing.T) {
	isolate.Require(t)
	dir := t.TempDir()
	w := newWorld(dir, "script-gorunc")
	t.Cleanup(func() {
		if err := w.remove(); err != nil {
			t.Error(err)
		}
	})
	b := badInput{patch: `{"process": {"args": ["sh", "-c", "sleep 1000 & wait"]}}`}
	bundle := filepath.Join(dir, "b")
	b.bundle(t, w, bundle)
	if r, err := w.run(dir, os.Environ(), "run", "--detach", "--bundle", bundle, "web"); err != nil || r.code != 0 {
		t.Fatal(err, r)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client := &runc.Runc{Command: w.binary(), Root: w.root, Log: dir + "/.log", LogFormat: runc.JSON, SystemdCgroup: w.systemd}
	stats, err := client.Stats(ctx, "web")
	for errors.Is(err, os.ErrClosed) && ctx.Err() == nil { // see goRuncEvents
		stats, err = client.Stats(ctx, "web")
	}
	if err != nil {
		t.Fatal(err)
	}
	if stats.Cpu.Usage.Total == 0 || stats.Pids.Current == 0 || len(stats.NetworkInterfaces) == 0 {
		t.Errorf("Stats() = %+v", stats)
	}
	pids, err := client.Ps(ctx, "web")
	if err != nil || len(pids) == 0 {
		t.Errorf("Ps() = %v, %v", pids, err)
	}
	kinds := goRuncEvents(ctx, t, client)
	if want := []string{"stats", "pause", "resume", "exit"}; !slices.Equal(kinds, want) && !slices.Equal(kinds, want[:3]) {
		t.Errorf("Events() gave %q, want %q", kinds, want)
	}
}

// goRuncEvents pauses, resumes and deletes the container, and returns the types of the
// events that arrive. Several of the same type in a row count once. The client closes its
// end of the pipe as soon as skiff has ended, even if it has not read everything.
func goRuncEvents(ctx context.Context, t *testing.T, client *runc.Runc) (kinds []string) {
	t.Helper()
	events, err := client.Events(ctx, "web", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	for e := range events {
		if errors.Is(e.Err, os.ErrClosed) && (last == "resume" || last == "exit") {
			return kinds
		}
		if e.Err != nil || e.Type != "error" && e.ID != "web" {
			t.Fatalf("event %+v", e)
		}
		if e.Type == "stats" && e.Stats.Cpu.Usage.Total == 0 {
			t.Errorf("stats %+v", e.Stats)
		}
		if e.Type == last || e.Type == "stats" && last != "" {
			continue // another one of this type, on a slow machine
		}
		last = e.Type
		kinds = append(kinds, last)
		switch last {
		case "stats":
			err = client.Pause(ctx, "web")
		case "pause":
			err = client.Resume(ctx, "web")
		case "resume":
			err = client.Delete(ctx, "web", &runc.DeleteOpts{Force: true})
		}
		if err != nil {
			t.Fatalf("after %s: %v", last, err)
		}
	}
	return kinds
}
