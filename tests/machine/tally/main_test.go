package main

import (
	"strings"
	"testing"
)

func TestAgain(t *testing.T) {
	run := func(outcomes ...string) (string, bool) {
		sums := &tally{output: map[string]*strings.Builder{}, parent: map[string]bool{}}
		for _, outcome := range outcomes {
			sums.take(event{"run", "T/a", ""})
			sums.take(event{"output", "T/a", "it said " + outcome + "\n"})
			sums.take(event{outcome, "T/a", ""})
			sums.take(event{outcome, "T", ""})
		}
		sums.take(event{outcomes[len(outcomes)-1], "", ""})
		var b strings.Builder
		well := sums.print(&b)
		return b.String(), well
	}
	if got, well := run("fail", "pass"); !well || !strings.Contains(got, "again   T/a: ") || !strings.Contains(got, "it said fail") || !strings.HasSuffix(got, "1 passed, 0 failed, 0 skipped\n") {
		t.Errorf("fail, pass: %v, %s", well, got)
	}
	if got, well := run("fail", "fail"); well || strings.Contains(got, "again") || !strings.HasSuffix(got, "0 passed, 1 failed, 0 skipped\n") {
		t.Errorf("fail, fail: %v, %s", well, got)
	}
	if got, well := run("pass"); !well || got != "1 passed, 0 failed, 0 skipped\n" {
		t.Errorf("pass: %v, %s", well, got)
	}
}
