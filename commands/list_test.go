// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
)

// TestAligned compares a table with text/tabwriter's.
func TestAligned(t *testing.T) {
	long := strings.Repeat("x", 40)
	for name, rows := range map[string][][6]string{
		"none":      nil,
		"heading":   {{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}},
		"short":     {{"a", "b", "c", "d", "e", "f"}, {"a", "", "c", "", "e", ""}},
		"nine":      {{"123456789", "1234567890", "", "", "", long}},
		"long":      {{long, "1", "2", long + long, "e", "f"}, {"a", "b", "c", "d", long, "f"}},
		"not ascii": {{"ü", "日本語日本語日本語日", "c", "/bündel", "e", "f"}, {"a", "b", "c", "d", "e", "ü"}},
	} {
		var want bytes.Buffer
		w := tabwriter.NewWriter(&want, 12, 1, 3, ' ', 0)
		for _, r := range rows {
			fmt.Fprintln(w, strings.Join(r[:], "\t"))
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := aligned(rows); string(got) != want.String() {
			t.Errorf("%s:\n%q, expected\n%q", name, got, want.String())
		}
	}
}
