// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"go/build"
	"os"
	"strings"
	"testing"
)

// An error number is no slack: what is started gets what the thread has.
func TestCallerSlack(t *testing.T) {
	was := callerSlack
	t.Cleanup(func() { callerSlack = was })
	for _, c := range []struct {
		said int64
		want uint64
	}{{0, 0}, {50000, 50000}, {-1, 0}, {-38, 0}} {
		callerSlack = c.said
		if got := CallerSlack(); got != c.want {
			t.Errorf("%d: %d, expected %d", c.said, got, c.want)
		}
	}
}

// Each architecture sets MonitorSlack and adds OneProc.
func TestEntryPoints(t *testing.T) {
	all, err := build.ImportDir(".", 0)
	if err != nil || len(all.Imports) != 0 || len(all.SFiles) != 1 {
		t.Errorf("%v, imports %v, assembly %v", err, all.Imports, all.SFiles)
	}
	for _, arch := range []string{"amd64", "arm64", "riscv64"} {
		text, err := os.ReadFile("entry_" + arch + ".s")
		if err != nil || !strings.Contains(string(text), "$5000000") || MonitorSlack != 5000000 {
			t.Errorf("%s: %v, or MonitorSlack differs", arch, err)
		}
		if v := OneProc + "=" + OneProcValue; !strings.Contains(string(text), `8, $"`+v[:8]+`"`) || !strings.Contains(string(text), `8, $"`+v[8:]+`\x00\x00\x00"`) {
			t.Errorf("%s: no variable %s", arch, v)
		}
	}
}
