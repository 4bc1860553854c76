// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/store"
)

func TestPickMounts(t *testing.T) {
	added := func(destinations ...string) (list []store.Mount) {
		for i, d := range destinations {
			list = append(list, store.Mount{ID: uint64(i), Destination: d})
		}
		return list
	}
	for _, c := range []struct {
		added  []store.Mount
		remove []string
		want   []int
		fault  string
	}{
		{added("/a"), []string{"/a"}, []int{0}, ""},
		{added("/a", "/b"), []string{"/a"}, []int{0}, ""},
		{added("/a", "/b"), []string{"/a", "/b"}, []int{1, 0}, ""},
		{added("/a", "/a"), []string{"/a"}, []int{1}, ""},
		{added("/a", "/a"), []string{"/a", "/a"}, nil, "[1]: /a is listed more than once"},
		{added("/a", "/a/b"), []string{"/a"}, nil, "[0]: the mount on /a/b was added on top"},
		{added("/a", "/a/b"), []string{"/a", "/a/b"}, []int{1, 0}, ""},
		{added("/a", "/ab"), []string{"/a"}, []int{0}, ""},
		{added("/a/b", "/a"), []string{"/a/b"}, []int{0}, ""},
		{added("/a"), []string{"/a", "/b"}, nil, "[1]: no mount was added at /b"},
		{nil, []string{"/proc"}, nil, "[0]: no mount was added at /proc"},
	} {
		var list []Destination
		for i, d := range c.remove {
			list = append(list, Destination{Field: "[" + string(rune('0'+i)) + "]", Path: d})
		}
		picked, err := pickMounts(c.added, list)
		if c.fault == "" {
			if err != nil || !slices.Equal(picked, c.want) {
				t.Errorf("remove %q of %v: %v (%v), want %v", c.remove, c.added, picked, err, c.want)
			}
		} else if err == nil || !strings.HasPrefix(err.Error(), c.fault) {
			t.Errorf("remove %q of %v: error %v, want %s", c.remove, c.added, err, c.fault)
		}
	}
}

func TestChangeMounts(t *testing.T) {
	config := []byte(`{"ociVersion":"1.0.0","Mounts":[{"destination":"/a","extra":1},{"destination":"/b"}],"x":[1]}`)
	config, err := appendMounts(config, []json.RawMessage{[]byte(`{"destination":"a/"}`), []byte(`{"destination":"/c"}`)})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"mounts":[{"destination":"/a","extra":1},{"destination":"/b"},{"destination":"a/"},{"destination":"/c"}],"ociVersion":"1.0.0","x":[1]}`; string(config) != want {
		t.Errorf("got %s, want %s", config, want)
	}
	for _, c := range [...]struct{ destination, want string }{
		{"/a", `[{"destination":"/a","extra":1},{"destination":"/b"},{"destination":"/c"}]`},
		{"/nosuch", `[{"destination":"/a","extra":1},{"destination":"/b"},{"destination":"/c"}]`},
		{"/a", `[{"destination":"/b"},{"destination":"/c"}]`},
	} {
		if config, err = dropMount(config, c.destination); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(config), `{"mounts":`+c.want+`,`) {
			t.Errorf("without %s: got %s, want %s", c.destination, config, c.want)
		}
	}
}
