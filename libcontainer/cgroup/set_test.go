// SPDX-License-Identifier: Apache-2.0

package cgroup

import "testing"

// The kernel shows a set of CPUs in its own form, not as it was written.
func TestSameSet(t *testing.T) {
	for _, c := range []struct {
		got, want string
		same      bool
	}{
		{"0-3", "0-3", true}, {"0-3,7", "7,3,0-2", true}, {"0-1", "0,1", true}, {"0-1", "0,,1,", true}, {"0-1", " 0 1\n", true},
		{"", "", true}, {"", "\n", true}, {"", ",", true}, {"64", "64-64", true}, {"0,64", "64,0", true},
		{"0-2", "0-3", false}, {"", "0", false}, {"0", "64", false}, {"0-10", "0-10:2/5", false}, {"0-1", "all", false},
		{"0-65536", "0-65536", false},
	} {
		if sameValue("cpuset.cpus", c.got, c.want) != c.same {
			t.Errorf("%q for %q: %v", c.got, c.want, !c.same)
		}
	}
}
