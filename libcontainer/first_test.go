// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/store"
)

func TestSightingIs(t *testing.T) {
	for _, c := range []struct {
		name      string
		seen      sighting
		record    store.Record
		is, known bool
	}{
		{"the same by both", sighting{7, 100}, store.Record{Inode: 7, StartTime: 100}, true, true},
		{"the same, seen from another time namespace", sighting{7, 200}, store.Record{Inode: 7, StartTime: 100}, true, true},
		{"the same, hidden", sighting{7, 0}, store.Record{Inode: 7, StartTime: 100}, true, true},
		{"the same, hidden since create", sighting{7, 0}, store.Record{Inode: 7}, true, true},
		{"another one within the same tick", sighting{8, 100}, store.Record{Inode: 7, StartTime: 100}, false, true},
		{"a record of an older skiff", sighting{7, 100}, store.Record{StartTime: 100}, true, true},
		{"a record of an older skiff, another process", sighting{7, 101}, store.Record{StartTime: 100}, false, true},
		{"a record of an older skiff, hidden", sighting{7, 0}, store.Record{StartTime: 100}, false, false},
		{"an older kernel", sighting{0, 100}, store.Record{StartTime: 100}, true, true},
		{"an older kernel, another process", sighting{0, 101}, store.Record{StartTime: 100}, false, true},
		{"an older kernel, hidden", sighting{0, 0}, store.Record{StartTime: 100}, false, false},
		{"an older kernel, hidden at create", sighting{0, 100}, store.Record{}, false, false},
		{"an older kernel since a reboot", sighting{0, 100}, store.Record{Inode: 7, StartTime: 100}, true, true},
		{"nothing is known", sighting{}, store.Record{}, false, false},
	} {
		is, known := c.seen.is(&c.record)
		if is != c.is || known != c.known {
			t.Errorf("%s: %v, %v; expected %v, %v", c.name, is, known, c.is, c.known)
		}
	}
}

func TestSameBoot(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{{"x", "x", true}, {"x", "y", false}, {"", "y", true}, {"x", "", true}, {"", "", true}} {
		if sameBoot(c.a, c.b) != c.same {
			t.Errorf("%q, %q: expected %v", c.a, c.b, c.same)
		}
	}
}
