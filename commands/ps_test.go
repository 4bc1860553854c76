// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"strings"
	"testing"
)

const table = `UID          PID    PPID  C STIME TTY          TIME CMD
root           1       0  0 05:01 ?        00:00:00 init 42
root          42       1  0 05:01 ?        00:00:00 sleep 1
nobody       420      42  0 05:01 ?        00:00:00 sh -c 7
`

func TestFilterTable(t *testing.T) {
	var b strings.Builder
	if err := filterTable(&b, table, []int{42, 7, 420}); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(table, "\n")
	if want := lines[0] + lines[2] + lines[3]; b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestFilterTableRefused(t *testing.T) {
	for _, bad := range []string{"", "USER COMMAND\nroot init\n", "USER PID\nroot\n", "PID\nx\n"} {
		var b strings.Builder
		if err := filterTable(&b, bad, []int{1}); err == nil {
			t.Errorf("%q: got %q, want an error", bad, b.String())
		}
	}
}
