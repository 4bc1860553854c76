// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/tests/growth"
	"golang.org/x/sys/unix"
)

// TestReader reads records in turn with one Reader: nothing of one may get into the next,
// and what a caller keeps of one must not change.
func TestReader(t *testing.T) {
	root := t.TempDir()
	long := &Record{ID: "long", Bundle: "/a/long/bundle", Annotations: map[string]string{"a": "b"}, Cgroups: map[string]string{"": "/c", "cpu": "/d"}, Tail: []Step{{Op: "exec", Words: []string{"x"}}, {Op: "caps"}}, Hooks: true}
	short := &Record{ID: "short", Bundle: "/s", Cgroups: map[string]string{"": "/e"}}
	for _, r := range []*Record{long, short} {
		e := At(root, r.ID)
		if err := e.Make(r); err != nil {
			t.Fatal(err)
		}
		e.Unlock()
	}
	var shared Reader
	defer shared.Close()
	first, err := shared.At(root, "long").Read()
	if err != nil || first.Hooks != true || len(first.Tail) != 2 {
		t.Fatalf("%+v, %v", first, err)
	}
	bundle, annotations := first.Bundle, first.Annotations
	second, err := shared.At(root, "short").Read()
	if err != nil || second.Bundle != "/s" || second.Hooks || len(second.Annotations)+len(second.Tail) > 0 || !maps.Equal(second.Cgroups, short.Cgroups) {
		t.Errorf("the second record: %+v, %v", second, err)
	}
	if bundle != long.Bundle || !maps.Equal(annotations, long.Annotations) {
		t.Errorf("kept of the first record: %q, %v", bundle, annotations)
	}
	if _, err := shared.At(root, "none").Read(); err == nil {
		t.Error("read a record that does not exist")
	}
	if r, err := At(root, "long").Read(); err != nil || !reflect.DeepEqual(r, long) {
		t.Errorf("without a Reader: %+v, %v", r, err)
	}
}

func TestSound(t *testing.T) {
	sealed := full().encode()
	for name, c := range map[string]struct {
		text []byte
		id   string
		want bool
	}{
		"a record":                   {sealed, "web", true},
		"another container's":        {sealed, "we", false},
		"one with a changed letter":  {bytes.Replace(sealed, []byte("/b/rootfs"), []byte("/c/rootfs"), 1), "web", false},
		"a part":                     {sealed[:len(sealed)/2], "web", false},
		"one without a checksum":     {[]byte(unsealed(full())), "web", false},
		"one of a newer form":        {seal([]byte("skiff state 3\nid \"web\"\nend\n")), "web", false},
		"one of an older form":       {seal([]byte("skiff state 1\nid \"web\"\nend\n")), "web", false},
		"one with its id in a value": {seal([]byte("skiff state 2\nid \"x\"\nbundle \"\\nid \\\"web\\\"\\n\"\nend\n")), "web", false},
		"nothing":                    {nil, "web", false},
	} {
		if got := sound(c.text, c.id); got != c.want {
			t.Errorf("%s: %v, expected %v", name, got, c.want)
		}
		if r, err := decode(c.text); c.want && (err != nil || r.ID != c.id) {
			t.Errorf("%s is sound, but cannot be decoded: %v", name, err)
		}
	}
}

// TestAwaits asks with one Reader about sockets of all kinds.
func TestAwaits(t *testing.T) {
	root := t.TempDir()
	var shared Reader
	defer shared.Close()
	make := func(id string, kind int, closed bool) {
		e := At(root, id)
		if err := e.Make(&Record{ID: id}); err != nil {
			t.Fatal(err)
		}
		e.Unlock()
		if kind == 0 {
			return
		}
		s, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Bind(s, &unix.SockaddrUnix{Name: e.socket()})
		}
		if err == nil && kind != unix.SOCK_DGRAM {
			err = unix.Listen(s, 1)
		}
		if closed {
			err = errors.Join(err, unix.Close(s))
		} else {
			t.Cleanup(func() { unix.Close(s) })
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	make("waits", unix.SOCK_SEQPACKET, false)
	make("ended", unix.SOCK_SEQPACKET, true)
	make("runs", 0, false)
	make("other", unix.SOCK_DGRAM, false)
	want := map[string]bool{"waits": true}
	for range 2 {
		for _, id := range []string{"runs", "other", "waits", "ended", "none", "other", "waits"} {
			if got := shared.At(root, id).Awaits(); got != want[id] {
				t.Errorf("%s: %v with a Reader", id, got)
			}
			if got := At(root, id).Awaits(); got != want[id] {
				t.Errorf("%s: %v without a Reader", id, got)
			}
		}
	}
}

// TestGrowth encodes and decodes records with long and with many annotations.
func TestGrowth(t *testing.T) {
	for name, value := range map[string]string{"plain": "x", "quoted": "\"\n", "not ascii": "ü\x01"} {
		t.Run(name, func(t *testing.T) {
			growth.Linear(t, 200000, func(n int) func() {
				r := &Record{ID: "web", Annotations: map[string]string{"a": strings.Repeat(value, n)}}
				return func() { _, _ = decode(r.encode()) }
			})
		})
	}
	t.Run("many", func(t *testing.T) {
		growth.Linear(t, 5000, func(n int) func() {
			r := &Record{ID: "web", Annotations: make(map[string]string)}
			for i := range n {
				r.Annotations[strings.Repeat("k", i%7)+string(rune(0x4e00+i))] = "value"
			}
			return func() { _, _ = decode(r.encode()) }
		})
	})
}
