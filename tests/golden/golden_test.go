// SPDX-License-Identifier: Apache-2.0

package golden

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// recorder is a test that keeps its message.
type recorder struct {
	testing.TB
	text string
}

func (r *recorder) Helper()      {}
func (r *recorder) Name() string { return "TestX/case" }
func (r *recorder) Errorf(format string, args ...any) {
	r.text += fmt.Sprintf(format, args...)
}

func TestCompare(t *testing.T) {
	var long strings.Builder
	for i := range 900 {
		fmt.Fprintln(&long, "line", i)
	}
	write := func(text string) string {
		file := filepath.Join(t.TempDir(), "x")
		*update = true
		Compare(t, file, []byte(text))
		*update = false
		return file
	}
	compare := func(file, got string) string {
		r := &recorder{TB: t}
		Compare(r, file, []byte(got))
		return r.text
	}
	file := write(long.String())
	if got := compare(file, long.String()); got != "" {
		t.Errorf("the same text: %s", got)
	}
	got := compare(file, strings.Replace(long.String(), "line 500\n", "line five hundred\n", 1))
	for _, want := range []string{"\n-line 500\n+line five hundred\n", "\n    go test -tags cparts ./tests/golden -run '^TestX$' -update"} {
		if !strings.Contains(got, want) {
			t.Errorf("one line differs: %q is not in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n"); n > most {
		t.Errorf("one line differs: %d lines\n%s", n, got)
	}
	got = compare(file, strings.ReplaceAll(long.String(), "line", "row"))
	if n := strings.Count(got, "\n"); n > most+5 || !strings.Contains(got, "more lines\n") {
		t.Errorf("all lines differ: %d lines\n%s", n, got)
	}
	if got := compare(filepath.Join(t.TempDir(), "none"), "a\n"); !strings.Contains(got, "\n+a\n") {
		t.Errorf("no file: %s", got)
	}
}
