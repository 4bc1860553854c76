// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"strings"
	"testing"
)

// The code and the tests that the list names exist.
func TestCompatibility(t *testing.T) {
	seen := make(map[string]bool)
	for i := range compatibility {
		c := &compatibility[i]
		if c.does == "" || c.spec == "" || c.code == "" || c.tests == "" || seen[c.does] {
			t.Errorf("%q: an empty entry, or the second of its kind", c.does)
		}
		seen[c.does] = true
		for place := range strings.SplitSeq(c.code, ", ") {
			if err := checkPlace(place); err != nil {
				t.Errorf("%s: %v", c.does, err)
			}
		}
		for test := range strings.SplitSeq(c.tests, ", ") {
			if _, err := testText(test); err != nil {
				t.Errorf("%s: %v", c.does, err)
			}
		}
	}
}
