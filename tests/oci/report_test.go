// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	listed := map[string]row{
		"a": {"a", "always", "it is wrong"},
		"b": {"b", "always", "it is wrong"},
		"c": {"c", mostly, "it is a race"},
	}
	fails := result{output: "not ok 1 - x", failed: []string{"not ok 1 - x"}}
	named := func(name string, r result) result { r.program = name; return r }
	for _, test := range []struct {
		name    string
		results []result
		want    string
		wrong   bool
	}{
		{"as listed", []result{named("a", fails), named("b", fails), named("c", result{}), named("d", result{ok: 3})},
			"listed  a b: it is wrong (always)\n" +
				"4 programs behaved as listed: 2 pass, 2 fail for the reasons above\n2 passed, 0 failed, 2 skipped\n", false},
		{"a race", []result{named("c", fails)},
			"listed  c: it is a race (mostly)\n" +
				"1 programs behaved as listed: 0 pass, 1 fail for the reasons above\n0 passed, 0 failed, 1 skipped\n", false},
		{"fails", []result{named("d", fails)},
			"FAILED  d (0.0 s, 0 points passed)\n        not ok 1 - x\nto run it again:\n    tests/oci/run skiff -v -run '^d$'\n" +
				"0 programs behaved as listed: 0 pass, 0 fail for the reasons above\n0 passed, 1 failed, 0 skipped\n", true},
		{"passes", []result{named("a", result{})},
			"FAILED  a: it passes, but expected.txt lists it as failing (always): remove its row\n" +
				"0 programs behaved as listed: 0 pass, 0 fail for the reasons above\n0 passed, 1 failed, 0 skipped\n", true},
	} {
		var b bytes.Buffer
		err := report(&b, test.results, listed, false)
		if b.String() != test.want || (err != nil) != test.wrong {
			t.Errorf("%s: %v\n%s\nwant\n%s", test.name, err, &b, test.want)
		}
	}
}

// A row that says "the same" has the reason of the row before it.
func TestSameReason(t *testing.T) {
	l, err := readList("expected.txt")
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range l {
		if strings.Contains(r.reason, "the same") {
			t.Errorf("%s: %s", r.program, r.reason)
		}
		if r.program == "linux_cgroups_relative_blkio" && r.reason != l[i-1].reason {
			t.Errorf("%s: %q, want %q", r.program, r.reason, l[i-1].reason)
		}
	}
}

// A cell that cannot be moved into its cgroups does not start the program.
func TestGate(t *testing.T) {
	for name, test := range map[string]struct {
		groups []string
		opened bool
	}{
		"moved":     {nil, true},
		"not moved": {[]string{t.TempDir() + "/nosuch"}, false},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		err = admit(test.groups, os.Getpid(), w)
		if got := admitted(io.Reader(r)); got != test.opened || (err == nil) != test.opened {
			t.Errorf("%s: opened: %v, %v", name, got, err)
		}
		r.Close()
	}
}
