// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"maps"
	"strings"
	"testing"
)

func TestUnit(t *testing.T) {
	for _, c := range []struct {
		path string
		user bool
		want string // slice and unit, or a part of the error
	}{
		{"", false, "system.slice skiff-web.scope"},
		{"", true, "user.slice skiff-web.scope"},
		{":skiff:web", false, "system.slice skiff-web.scope"},
		{":libpod:web", true, "user.slice libpod-web.scope"},
		{"a-b.slice:docker:0123", false, "a-b.slice docker-0123.scope"},
		{"-.slice:x:y", false, "-.slice x-y.scope"},
		{"a.slice::y", false, "a.slice skiff-y.scope"},
		{"::a-b.slice", false, "a.slice a-b.slice"},
		{"a.slice:x:a-b.slice", false, "a.slice a-b.slice"},
		{"::a.slice", false, "-.slice a.slice"},

		{"/a/b", false, "must be of the form slice:prefix:name"},
		{"a:b", false, "must be of the form slice:prefix:name"},
		{"a:b:c:d", false, "must be of the form slice:prefix:name"},
		{"a.slice:b:", false, "the name after the last colon must not be empty"},
		{"a:b:c", false, `"a" is not the name of a slice`},
		{"a--b.slice:b:c", false, "is not the name of a slice"},
		{"-a.slice:b:c", false, "is not the name of a slice"},
		{"a-.slice:b:c", false, "is not the name of a slice"},
		{".slice:b:c", false, "is not the name of a slice"},
		{"../a.slice:b:c", false, "is not the name of a slice"},
		{"a.slice:b/..:c", false, `prefix "b/.." must consist of letters`},
		{"a.slice:b:../c", false, `name "../c" must consist of letters`},
		{"::-.slice", false, "cannot be created"},
		{"b.slice:x:a-b.slice", false, "slice a-b.slice must be in a.slice, according to its name, not in b.slice"},
		{"a.slice:b:" + strings.Repeat("c", 250), false, "the unit name must be at most 255 bytes long, not 258"},
	} {
		o := options
		o.SystemdCgroup, o.UserUnits, o.ID = true, c.user, "web"
		s := Example(false)
		s.Linux.CgroupsPath = c.path
		l, _, err := Compile(s, o)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = l.Cgroup.Slice + " " + l.Cgroup.Unit
		}
		if err == nil && got != c.want || err != nil && (!strings.Contains(got, c.want) || !strings.Contains(got, "linux.cgroupsPath: ")) {
			t.Errorf("%q: %s, expected %s", c.path, got, c.want)
		}
	}
}

func TestUnitProperties(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"CollectMode", "'inactive'", "CollectMode='inactive'"},
		{"SendSIGHUP", "true", "SendSIGHUP=true"},
		{"TimeoutStopSec", "uint64 123", "TimeoutStopUSec=uint64 123000000"},
		{"TimeoutStopSec", "123", "TimeoutStopUSec=uint64 123000000"},
		{"TimeoutStopSec", "1.5", "TimeoutStopUSec=uint64 1500000"},
		{"TimeoutStopUSec", "uint64 7", "TimeoutStopUSec=uint64 7"},
		{"After", "['a.service', 'b.service']", "After=['a.service', 'b.service']"},

		{"ab", "true", "is not the name of a systemd property"},
		{"", "true", "is not the name of a systemd property"},
		{"a b c", "true", "is not the name of a systemd property"},
		{"KillMode", "mixed", "must be a GVariant"},
		{"KillMode", "", "must be a GVariant"},
		{"TimeoutStopSec", "'a'", "must be a number of seconds"},
		{"TimeoutStopSec", "-1", "must be a number of seconds"},
		{"PIDs", "[uint32 1]", "PIDs must not be set"},
		{"Slice", "'a.slice'", "Slice must not be set"},
	} {
		o := options
		o.SystemdCgroup = true
		s := Example(false)
		s.Annotations = map[string]string{systemdProperty + c.name: c.text}
		l, _, err := Compile(s, o)
		switch {
		case err != nil:
			if text := err.Error(); !strings.Contains(text, c.want) || !strings.Contains(text, `annotations["org.systemd.property.`+c.name+`"]: `) {
				t.Errorf("%s %s: %v, expected %s", c.name, c.text, err, c.want)
			}
		default:
			name, text, _ := strings.Cut(c.want, "=")
			if want := map[string]string{name: text}; !maps.Equal(l.Cgroup.SystemdProps, want) {
				t.Errorf("%s %s: %v, expected %v", c.name, c.text, l.Cgroup.SystemdProps, want)
			}
		}
	}
}
