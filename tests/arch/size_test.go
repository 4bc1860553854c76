// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// maxLines is how many lines a file may have: enough for one concept.
const maxLines = 500

// long has the files that may be longer, each with the reason.
var long = map[string]string{
	"specconv/compat.go": "one list of all that differs from the specification or from runc: a table, read by entry",
}

// tooLong finds files that are longer than maxLines, and entries of long that are not
// needed.
func tooLong(t *tree, long map[string]string) (faults []string) {
	for _, name := range slices.Sorted(maps.Keys(t.lines)) {
		if n := t.lines[name]; n > maxLines && long[name] == "" {
			faults = append(faults, fmt.Sprintf("%s has %d lines, more than %d: divide it by what it is about", name, n, maxLines))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(long)) {
		if t.lines[name] <= maxLines {
			faults = append(faults, fmt.Sprintf("%s has %d lines: take it off the list in tests/arch", name, t.lines[name]))
		}
	}
	return faults
}

func TestFilesAreShort(t *testing.T) { expect(t, tooLong(ours(t), long)) }

func TestSizeRuleFinds(t *testing.T) {
	text := "package p\n" + strings.Repeat("\n", maxLines)
	finds(t, tooLong(fake(t, map[string]string{"p/a.go": text}), nil), "p/a.go has 501 lines")
	finds(t, tooLong(fake(t, map[string]string{"p/src/a.c": text}), nil), "p/src/a.c has 501 lines")
	finds(t, tooLong(fake(t, map[string]string{"p/a.go": "package p\n"}), map[string]string{"p/a.go": "why"}), "take it off")
	accepts(t, tooLong(fake(t, map[string]string{"p/a.go": text, "p/a_test.go": text}), map[string]string{"p/a.go": "why"}))
}
