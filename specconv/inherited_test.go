// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The tests that docs/INHERITED.md names exist.
func TestInherited(t *testing.T) {
	doc, err := os.ReadFile("../docs/INHERITED.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("^`([a-zA-Z0-9-]+)`$")
	rows := 0
	for line := range strings.SplitSeq(string(doc), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), "|")
		tests := strings.TrimSpace(cells[len(cells)-1])
		if !strings.HasPrefix(line, "| ") || tests == "tests" || tests == "kernel" {
			continue
		}
		rows++
		for test := range strings.SplitSeq(tests, ", ") {
			m := name.FindStringSubmatch(test)
			if m == nil {
				t.Errorf("%s: %q names no test", cells[0], test)
			} else if _, err := testText(m[1]); err != nil {
				t.Errorf("%s: %v", cells[0], err)
			}
		}
	}
	if rows < 20 {
		t.Errorf("%d rows with tests", rows)
	}
}
