// SPDX-License-Identifier: Apache-2.0

package script

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/tests/isolate"
)

// excludeTime is how long TestExclude runs.
const excludeTime = 4 * time.Second

// TestExclude runs creates and deletes of one id at the same time. A create must succeed,
// or fail because the container already exists or, on a busy machine, because a delete
// --force interrupted it. Such a delete must always succeed, and after the last one
// nothing may be left.
func TestExclude(t *testing.T) {
	e := newExclude(t)
	end := time.Now().Add(excludeTime)
	var all sync.WaitGroup
	for range 5 {
		// On a slow machine each create may be interrupted, so go on until the
		// deletes have ended and one succeeds.
		all.Go(func() {
			for (time.Now().Before(end) || e.count() == 0) && e.create(t) {
			}
		})
		all.Go(func() {
			for time.Now().Before(end) && e.delete(t) {
			}
		})
	}
	all.Wait()
	t.Logf("%d of %d creates succeeded, %d deletes", e.made, e.tried, e.deleted)
	if e.made == 0 {
		t.Error("no create succeeded")
	}
	e.delete(t)
	e.expectNothing(t)
}

// TestDeletesAtOnce runs many delete --force of one container at the same time. All must
// succeed.
func TestDeletesAtOnce(t *testing.T) {
	e := newExclude(t)
	for range 3 {
		e.create(t)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { e.delete(t) })
		}
		all.Wait()
		e.expectNothing(t)
	}
	if e.made != 3 {
		t.Errorf("%d creates succeeded, want 3", e.made)
	}
}

// exclude is a world with one bundle, and counts what its callers did.
type exclude struct {
	*world
	bundle string

	mu                   sync.Mutex
	made, tried, deleted int
}

func newExclude(t *testing.T) *exclude {
	isolate.Require(t)
	dir := t.TempDir()
	e := &exclude{world: newWorld(dir, "script-exclude"), bundle: filepath.Join(dir, "b")}
	t.Cleanup(func() {
		if err := e.remove(); err != nil {
			t.Error(err)
		}
	})
	b := badInput{patch: `{"process": {"args": ["sleep", "1000"]}}`}
	b.bundle(t, e.world, e.bundle)
	return e
}

func (e *exclude) call(t *testing.T, args ...string) *result {
	r, err := e.run(e.work, os.Environ(), args...)
	if err != nil {
		t.Error(err)
		return &result{code: -1}
	}
	return r
}

// count returns how many creates have succeeded.
func (e *exclude) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.made
}

func (e *exclude) create(t *testing.T) bool {
	r := e.call(t, "create", "--bundle", e.bundle, "web")
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tried++
	if r.code == 0 {
		e.made++
	} else if !strings.Contains(r.stderr, "container with given ID already exists") && !strings.Contains(r.stderr, "it was killed") {
		t.Errorf("create: %d: %s", r.code, r.stderr)
		return false
	}
	return true
}

func (e *exclude) delete(t *testing.T) bool {
	r := e.call(t, "delete", "--force", "web")
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deleted++
	if r.code != 0 || r.stderr != "" {
		t.Errorf("delete: %d: %s", r.code, r.stderr)
	}
	return r.code == 0
}

func (e *exclude) expectNothing(t *testing.T) {
	t.Helper()
	left, err := e.leftovers()
	for range 100 {
		if err != nil || len(left) == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
		left, err = e.leftovers()
	}
	if err != nil || len(left) > 0 {
		t.Error(fmt.Sprintf("left behind: %v\n", err), strings.Join(left, "\n"))
	}
}
