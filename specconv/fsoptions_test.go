// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Options of a file system are split as mount(2) splits them.
func TestFSOptions(t *testing.T) {
	for _, c := range []struct {
		fsType, element string
		want            []string
	}{
		{"tmpfs", "", nil},
		{"tmpfs", ",", nil},
		{"tmpfs", "=x", nil},
		{"tmpfs", "size=64m", []string{"size=64m"}},
		{"tmpfs", "size=64m,mode=1777", []string{"size=64m", "mode=1777"}},
		{"tmpfs", ",size=64m,,mode=1777,=x,", []string{"size=64m", "mode=1777"}},
		{"tmpfs", "size=64m,nosuid,ro", []string{"size=64m", "nosuid", "ro"}},
		{"tmpfs", " ", []string{" "}},
		{"tmpfs", `a\,b`, []string{`a\`, "b"}},
		{"proc", "hidepid=2,gid=5", []string{"hidepid=2", "gid=5"}},
		{"overlay", "lowerdir=/a:/b,upperdir=/c,workdir=/d", []string{"lowerdir=/a:/b", "upperdir=/c", "workdir=/d"}},
		{"overlay", `lowerdir=/a\,1\:2:/b,index=off`, []string{`lowerdir=/a\,1\:2:/b`, "index=off"}},
		{"overlay", `lowerdir=/a\\,index=off`, []string{`lowerdir=/a\\`, "index=off"}},
		{"overlay", `lowerdir=/a\`, []string{`lowerdir=/a\`}},
		{"tmpfs", `context="a:b:c:s0:c1,c2",size=1m`, []string{`context="a:b:c:s0:c1,c2"`, "size=1m"}},
		{"tmpfs", `size=1m,rootcontext="a,b",mode=700`, []string{"size=1m", `rootcontext="a,b"`, "mode=700"}},
		{"tmpfs", `context="a,b`, []string{`context="a,b`}},
		{"tmpfs", `x="a,b"`, []string{`x="a`, `b"`}},
		{"cifs", "user=a,password=b,,c", []string{"user=a,password=b,,c"}},
	} {
		if got := fsOptions(c.fsType, c.element); !slices.Equal(got, c.want) {
			t.Errorf("%s, %q: got %q, want %q", c.fsType, c.element, got, c.want)
		}
	}
}

// Empty options, which engines send, are dropped. An option that is given twice is passed
// on twice.
func TestMountOptionLists(t *testing.T) {
	for _, c := range []struct {
		fsType, options, data, warnings string // options with | between
	}{
		{"tmpfs", "rw|nosuid|tmpcopyup|", "", ""},
		{"tmpfs", "|nosuid||mode=755|nosuid|mode=700", "mode=755|mode=700", ""},
		{"tmpfs", "size=64m,mode=1777,", "size=64m|mode=1777", ""},
		{"tmpfs", "size=64m,nosuid", "size=64m|nosuid", ""},
		{"tmpfs", "=x", "", `mounts[0].options[0]: ignoring "=x", which is not a mount option`},
		{"bind", "rbind||ro", "", ""},
	} {
		spec := Example(false)
		spec.Mounts = []specs.Mount{{Destination: "/m", Type: c.fsType, Source: "/s", Options: strings.Split(c.options, "|")}}
		l, warnings, err := Compile(spec, options)
		if err != nil {
			t.Errorf("%q: %v", c.options, err)
			continue
		}
		var warned []string
		for _, w := range warnings {
			warned = append(warned, w.String())
		}
		if got := strings.Join(l.Rootfs.Mounts[0].Data, "|"); got != c.data || strings.Join(warned, "; ") != c.warnings {
			t.Errorf("%q: data %q, warnings %q; want %q, %q", c.options, got, warned, c.data, c.warnings)
		}
	}
}
