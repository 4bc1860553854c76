// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of docs/ERRORS.md anew")

// The table of docs/ERRORS.md is that of the codes.
func TestErrorsPage(t *testing.T) {
	const page, mark = "../../docs/ERRORS.md", " -update -->\n"
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	prose, table, found := strings.Cut(string(b), mark)
	if !found {
		t.Fatalf("%s has no mark %q", page, mark)
	}
	var want strings.Builder
	want.WriteString("\n| Code | What has happened | What to do |\n|---|---|---|\n")
	for _, m := range Codes {
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", m.Code, m.Means, m.Remedy)
	}
	switch {
	case table == want.String():
	case *update:
		if err := os.WriteFile(page, []byte(prose+mark+want.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the table of %s differs from codes.go: go test ./libcontainer/fault -run TestErrorsPage -update", page)
	}
}
