// SPDX-License-Identifier: Apache-2.0

package cgroup

import "testing"

func TestReached(t *testing.T) {
	for _, c := range []struct {
		limit, now string
		want       bool
	}{{"10", "9", false}, {"10", "10", true}, {"10", "12", true}, {"0", "0", true}, {"max", "12", false}, {"", "", false}} {
		if got := reached(c.limit, c.now); got != c.want {
			t.Errorf("reached(%q, %q) = %v", c.limit, c.now, got)
		}
	}
}
