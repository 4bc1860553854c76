// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// attrNames are the flags in the order of mountinfo.
var attrNames = []struct {
	name string
	mask uint64
	attr uint64
}{
	{"rw", unix.MOUNT_ATTR_RDONLY, 0},
	{"ro", unix.MOUNT_ATTR_RDONLY, unix.MOUNT_ATTR_RDONLY},
	{"nosuid", unix.MOUNT_ATTR_NOSUID, unix.MOUNT_ATTR_NOSUID},
	{"nodev", unix.MOUNT_ATTR_NODEV, unix.MOUNT_ATTR_NODEV},
	{"noexec", unix.MOUNT_ATTR_NOEXEC, unix.MOUNT_ATTR_NOEXEC},
	{"noatime", unix.MOUNT_ATTR__ATIME, unix.MOUNT_ATTR_NOATIME},
	{"nodiratime", unix.MOUNT_ATTR_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME},
	{"relatime", unix.MOUNT_ATTR__ATIME, unix.MOUNT_ATTR_RELATIME},
	{"nosymfollow", unix.MOUNT_ATTR_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"strictatime", 0, unix.MOUNT_ATTR_STRICTATIME}, // mountinfo does not show it
}

func attrsOf(words string) (attrs uint64) {
	for w := range strings.SplitSeq(words, ",") {
		for _, a := range attrNames {
			if a.name == w {
				attrs |= a.attr
			}
		}
	}
	return attrs
}

func wordsOfAttrs(attrs uint64) string {
	var words []string
	for _, a := range attrNames {
		if a.mask != 0 && attrs&a.mask == a.attr {
			words = append(words, a.name)
		}
	}
	return strings.Join(words, ",")
}

// bindOf returns the flags of the bind m of a source that has attrs.
func bindOf(m *plan.Mount, attrs uint64) uint64 {
	attrs = attrs&^(m.AttrClear|m.AttrUnnamed) | m.AttrSet
	return attrs&^m.RecAttrClear | m.RecAttrSet
}

// A bind has the flags of its source if its options name none, else only those that they
// name.
func TestBindFlags(t *testing.T) {
	text, err := os.ReadFile("testdata/bindflags.txt")
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	rows := 0
	for line := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n") {
		columns := strings.Split(line, " | ")
		switch {
		case strings.HasPrefix(line, "#"):
			continue
		case columns[0] == "options":
			sources = columns[1:]
			continue
		}
		rows++
		spec := Example(false)
		spec.Mounts = []specs.Mount{{Destination: "/m", Source: "/s", Options: strings.Fields(columns[0])}}
		l, _, err := Compile(spec, options)
		if err != nil {
			t.Fatalf("%s: %v", columns[0], err)
		}
		for i, want := range columns[1:] {
			if got := wordsOfAttrs(bindOf(&l.Rootfs.Mounts[0], attrsOf(sources[i]))); got != want {
				t.Errorf("%s of a source with %s: got %s, want %s", columns[0], sources[i], got, want)
			}
		}
	}
	if rows < 30 {
		t.Errorf("%d rows", rows)
	}
}

// A remount changes only the flags that it names, and options that are no flags clear
// none.
func TestBindFlagsNone(t *testing.T) {
	for _, o := range []string{"remount bind nosuid", "rbind rro rprivate", "bind defaults", "bind size=1m", "nosuid"} {
		spec := Example(false)
		spec.Mounts = []specs.Mount{{Destination: "/m", Type: "tmpfs", Source: "/s", Options: strings.Fields(o)}}
		l, _, err := Compile(spec, options)
		if err != nil {
			t.Fatalf("%s: %v", o, err)
		}
		if m := &l.Rootfs.Mounts[0]; m.AttrUnnamed != 0 {
			t.Errorf("%s: %#x", o, m.AttrUnnamed)
		}
	}
}
