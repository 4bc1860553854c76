// SPDX-License-Identifier: Apache-2.0

package specconv

import "testing"

func TestSubgroups(t *testing.T) {
	for _, c := range []struct {
		value string
		want  string
		fault bool
	}{
		{"", "", false}, {"payload", "payload", false}, {"a/b", "a/b", false}, {"/a//b/", "a/b", false}, {"...", "...", false},
		{"..", "", true}, {"a/../b", "", true}, {"/", "", true}, {".", "", true}, {"a\nb", "", true},
	} {
		for _, annotation := range []string{delegateAnnotation, subgroupAnnotation} {
			s, o := Example(false), options
			s.Annotations = map[string]string{annotation: c.value}
			o.SystemdCgroup = true
			l, _, err := Compile(s, o)
			if c.fault {
				if err == nil {
					t.Errorf("%s %q is taken", annotation, c.value)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s %q: %v", annotation, c.value, err)
				continue
			}
			got := map[string]string{delegateAnnotation: l.Cgroup.Delegate, subgroupAnnotation: l.Cgroup.Subgroup}
			if got[annotation] != c.want {
				t.Errorf("%s %q: %v, want %q", annotation, c.value, got, c.want)
			}
		}
	}
	s := Example(false)
	s.Annotations = map[string]string{subgroupAnnotation: "x"}
	if l, _, err := Compile(s, options); err != nil || l.Cgroup.Subgroup != "" {
		t.Errorf("without systemd: %v, %v", l, err)
	}
}
