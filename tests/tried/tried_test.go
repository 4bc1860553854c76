// SPDX-License-Identifier: Apache-2.0

package tried

import (
	"fmt"
	"slices"
	"testing"
)

// recorder is a test that keeps its messages.
type recorder struct {
	testing.TB
	texts []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.texts = append(r.texts, fmt.Sprintf(format, args...))
}

func TestCheck(t *testing.T) {
	all := Texts{"a": `"one" "two"`}
	quoted := func(e string) string { return `"` + e + `"` }
	for _, test := range []struct {
		entries    []string
		exceptions map[string]string
		want       []string
	}{
		{[]string{"one", "two"}, nil, nil},
		{[]string{"one", "three"}, nil, []string{`x three: no test uses it (searched for "three")`}},
		{[]string{"one", "three"}, map[string]string{"three": "why"}, nil},
		{[]string{"one"}, map[string]string{"one": "why"}, []string{"x one: there is a test now; remove the exception"}},
		{[]string{"one"}, map[string]string{"four": "why"}, []string{"x four: an exception for something that does not exist"}},
	} {
		r := &recorder{TB: t}
		all.Check(r, "x", test.entries, quoted, test.exceptions)
		if !slices.Equal(r.texts, test.want) {
			t.Errorf("%v, %v: %q, want %q", test.entries, test.exceptions, r.texts, test.want)
		}
	}
}

func TestRead(t *testing.T) {
	if all := Read(t, "tests/tried/*_test.go"); all["tests/tried/tried_test.go"] == "" || len(all) != 1 {
		t.Errorf("read %d files, not this one alone", len(all))
	}
}
