// Package listing compares programs in tests by what --plan prints of them, an
// operation a line, so that a test says what is to happen and not how an
// operation is kept.
package listing

import (
	"fmt"
	"strings"
	"testing"
)

// Of is the listing without the numbers of the operations and the blanks that
// align them: `setid(1, 1)  # process.user`.
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

// Compare reports where the program is not the one that want lists, in which
// blanks at the ends of lines and empty lines do not count.
func Compare(t testing.TB, program fmt.Stringer, want string) {
	t.Helper()
	if got, want := strings.Join(Of(program), "\n"), strings.Join(trimmed(want), "\n"); got != want {
		t.Errorf("the program is\n%s\nexpected\n%s", got, want)
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
