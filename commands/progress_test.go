// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// screen is what is written, safe for several goroutines.
type screen struct {
	sync.Mutex
	strings.Builder
}

func (s *screen) Write(b []byte) (int, error) {
	s.Lock()
	defer s.Unlock()
	return s.Builder.Write(b)
}

func (s *screen) shown() string {
	s.Lock()
	defer s.Unlock()
	return s.String()
}

func TestProgress(t *testing.T) {
	n := counter{verb: "delete", total: 3}
	n.done.Add(1)
	var out screen
	end := showProgress(&out, time.Millisecond, n.String)
	for range 1000 {
		if out.shown() != "" {
			break
		}
		time.Sleep(time.Millisecond)
	}
	end()
	got := out.shown()
	if !strings.HasPrefix(got, clearLine+"skiff: delete: 1 of 3 containers (") || !strings.HasSuffix(got, ")"+clearLine) {
		t.Errorf("%q", got)
	}
	time.Sleep(5 * time.Millisecond)
	if out.shown() != got {
		t.Error("it goes on after the end")
	}
}

// A command that is quick shows nothing.
func TestProgressQuick(t *testing.T) {
	var out screen
	showProgress(&out, time.Hour, func() string { return "x" })()
	if got := out.shown(); got != "" {
		t.Errorf("%q", got)
	}
}

func TestImagesSize(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pages-1.img"), make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := imagesSize(dir); got != "checkpoint: 3 MiB written to "+dir {
		t.Error(got)
	}
}
