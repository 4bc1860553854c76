// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

// summary returns what is printed about events, which are written as
// "ACTION PACKAGE TEST OUTPUT" with "-" for an empty word.
func summary(t *testing.T, change func(*tally), events ...string) (string, bool) {
	t.Helper()
	sums := newTally()
	if change != nil {
		change(sums)
	}
	for _, text := range events {
		f := strings.SplitN(text, " ", 4)
		for len(f) < 4 {
			f = append(f, "")
		}
		for i := range f[:3] {
			f[i] = strings.TrimPrefix(f[i], "-")
		}
		e := event{Action: f[0], Package: f[1], Test: f[2], Output: strings.ReplaceAll(f[3], `\n`, "\n")}
		if e.Action == "build-output" {
			e.ImportPath, e.Package = e.Package+" [test]", ""
		}
		if e.Action == "build-fail" {
			e.Action, e.FailedBuild = "fail", e.Package+" [test]"
		}
		sums.take(e)
	}
	var b strings.Builder
	well := sums.print(&b)
	return b.String(), well
}

func TestSummary(t *testing.T) {
	again := func(sums *tally) { sums.again = "A=1 go test -count=1" }
	const p = "github.com/skiff-oci/skiff/libcontainer/p"
	for _, test := range []struct {
		name   string
		change func(*tally)
		events []string
		want   string
		well   bool
	}{
		{"all pass", nil, []string{"run p T", "output p T hello\\n", "pass p T", "pass p -"},
			"1 passed, 0 failed, 0 skipped\n", true},
		{"two packages have a test of the same name", nil, []string{"run p T", "pass p T", "pass p -", "run q T", "pass q T", "pass q -"},
			"2 passed, 0 failed, 0 skipped\n", true},
		{"skipped", nil, []string{
			"run p T", "output p T     a_test.go:7: needs root\\n", "skip p T",
			"run p U", "output p U     cmd.go:70: needs root:\\n    testscript.go:609: WORK=$WORK\\n        PATH=/bin\\n", "skip p U",
			"run p V", "output p V     a_test.go:7: no CPU\\n    --- SKIP: V\\n", "skip p V", "pass p -"},
			"   2 skipped: needs root\n   1 skipped: no CPU\n0 passed, 0 failed, 3 skipped\n", true},
		{"skipped, with names", func(sums *tally) { sums.names = true }, []string{"run p T", "output p T     a_test.go:7: needs root\\n", "skip p T"},
			"   1 skipped: needs root\n             T\n0 passed, 0 failed, 1 skipped\n", true},
		{"only the failing test is printed", again, []string{
			"run " + p + " T", "run " + p + " T/a+b", "output " + p + " T/a+b it is broken\\n", "fail " + p + " T/a+b", "output " + p + " T --- FAIL: T (0.1s)\\n", "fail " + p + " T",
			"run " + p + " U", "output " + p + " U much\\n", "pass " + p + " U", "fail " + p + " -"},
			"FAILED  T/a+b\n        it is broken\nto run one of them again:\n" +
				`    A=1 go test -count=1 ./libcontainer/p -run '^T$/^a\+b$'` + "\n1 passed, 1 failed, 0 skipped\n", false},
		{"does not compile", nil, []string{"build-output p - a.go:1: x\\n", "build-fail p -"},
			"FAILED  p\n        a.go:1: x\n0 passed, 1 failed, 0 skipped\n", false},
		{"ends early", nil, []string{"run p T", "output p - exit status 3\\n", "fail p -"},
			"FAILED  p\n        exit status 3\n        T did not end\n0 passed, 1 failed, 0 skipped\n", false},
		{"nothing", nil, []string{"output - - no such package\\n"},
			"FAILED  no test was run\n        no such package\n0 passed, 1 failed, 0 skipped\n", false},
		{"another package fails early", nil, []string{"run p T", "fail p T", "fail p -", "output q - panic\\n", "fail q -"},
			"FAILED  T\nFAILED  q\n        panic\n0 passed, 2 failed, 0 skipped\n", false},
	} {
		if got, well := summary(t, test.change, test.events...); got != test.want || well != test.well {
			t.Errorf("%s: %v\n%s\nwant\n%s", test.name, well, got, test.want)
		}
	}
}

func TestAgain(t *testing.T) {
	run := func(outcomes ...string) (string, bool) {
		var events []string
		for _, outcome := range outcomes {
			events = append(events, "run - T/a", "output - T/a it said "+outcome+"\\n", outcome+" - T/a", outcome+" - T")
		}
		return summary(t, nil, append(events, outcomes[len(outcomes)-1]+" - -")...)
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
