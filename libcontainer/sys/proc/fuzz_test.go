// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// escape escapes a name as the kernel does.
func escape(s string) string {
	return strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(s)
}

// Whatever the names in a line of the kernel are, they are read back unchanged.
func FuzzMounts(f *testing.F) {
	f.Add(table, "/a b", `/c\040`)
	f.Add("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n", "/", "/\n - \n")
	f.Fuzz(func(t *testing.T, text, root, point string) {
		for m := range Mounts(text) {
			if m.Root == "" || m.Point == "" {
				t.Errorf("%+v", m)
			}
		}
		root, point = "/"+root, "/"+point
		line := fmt.Sprintf("7 1 0:5 %s %s rw shared:1 - tmpfs %s rw\n", escape(root), escape(point), escape(point))
		want := Mount{7, 0, 5, root, point, "shared:1", "tmpfs", "rw"}
		if all := slices.Collect(Mounts(line)); !slices.Equal(all, []Mount{want}) {
			t.Errorf("%q: %+v", line, all)
		}
	})
}

// The name of a process does not change what else is read about it.
func FuzzStat(f *testing.F) {
	f.Add(statLine("cat", nil), "a) Z 1 (b")
	f.Fuzz(func(t *testing.T, text, name string) {
		_, _ = ParseStat(text)
		s, err := ParseStat(statLine(name, nil))
		if want := (Stat{State: 'S', Parent: 7, Group: 5, Threads: 3, Start: 998877}); err != nil || s != want {
			t.Errorf("%q: %+v, %v", name, s, err)
		}
	})
}

// Value finds the first line with a key.
func FuzzValue(f *testing.F) {
	f.Add("populated 1\nfrozen 0\n", "frozen")
	f.Add("Name:\tcat\nTgid:\t42\n", "Tgid")
	f.Fuzz(func(t *testing.T, text, key string) {
		for _, between := range [...]string{Blank, Colon} {
			v, ok := Value(text, between, key)
			for k, first := range Pairs(text, between) {
				if k == key {
					if !ok || v != first {
						t.Errorf("%q: %q, %v, expected %q", key, v, ok, first)
					}
					return
				}
			}
			if ok {
				t.Errorf("%q is not there: %q", key, v)
			}
		}
	})
}

// Mappings that are read, written and read again are the same.
func FuzzIDMap(f *testing.F) {
	f.Add("         0       1000          1\n         1     100000      65536\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := IDMap(text)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, m := range list {
			fmt.Fprintf(&b, "%10d %10d %10d\n", m.ContainerID, m.HostID, m.Size)
		}
		if again, err := IDMap(b.String()); err != nil || !slices.Equal(again, list) {
			t.Errorf("%q: %v, then %v, %v", text, list, again, err)
		}
	})
}

// A list of the members of a mask gives the same mask.
func FuzzCPUList(f *testing.F) {
	f.Add("0-3,7")
	f.Add("65535, 1\n")
	f.Fuzz(func(t *testing.T, list string) {
		mask, err := CPUList(list)
		if err != nil {
			return
		}
		if len(mask)%8 != 0 {
			t.Errorf("%q: %d bytes", list, len(mask))
		}
		var words []string
		for n := range Members(mask) {
			words = append(words, fmt.Sprint(n))
		}
		if again, err := CPUList(strings.Join(words, ",")); err != nil || !slices.Equal(again, mask) {
			t.Errorf("%q: %x, then %x, %v", list, mask, again, err)
		}
	})
}
