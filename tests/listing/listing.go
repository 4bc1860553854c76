// SPDX-License-Identifier: Apache-2.0

// Package listing compares programs in tests by their listing, which --plan prints: one
// operation per line. So a test says what is to happen, and not how a program represents
// it.
package listing

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
)

// Of returns the lines of the listing without the numbers of the operations and the
// blanks that align the comments: `setid(1, 1)  # process.user`.
func Of(program fmt.Stringer) []string {
	var lines []string
	for line := range strings.Lines(program.String()) {
		line = strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(line), "0123456789"))
		if i := strings.LastIndex(line, "  # "); i >= 0 {
			line = strings.TrimRight(line[:i], " ") + line[i:]
		}
		lines = append(lines, line)
	}
	return lines
}

// Compare fails the test unless the listing of the program is want. In want, empty lines
// and blanks at both ends of a line are ignored.
func Compare(t testing.TB, program fmt.Stringer, want string) {
	t.Helper()
	got, expected := strings.Join(Of(program), "\n")+"\n", strings.Join(trimmed(want), "\n")+"\n"
	if got != expected {
		t.Errorf("the program (+) is not what is expected (-):\n%s", diff.Diff("expected", []byte(expected), "program", []byte(got)))
	}
}

func trimmed(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
