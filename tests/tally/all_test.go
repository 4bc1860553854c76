// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tests/all runs all targets, sums up what they print, and repeats how to run failed
// tests again.
func TestAll(t *testing.T) {
	fake := filepath.Join(t.TempDir(), "make")
	if err := os.WriteFile(fake, []byte(`#!/bin/sh
case $2 in
good) printf '2 passed, 0 failed, 1 skipped\n3 passed, 0 failed, 0 skipped\n' ;;
bad)
	printf 'FAILED  T\n    it is wrong\nto run one of them again:\n    go test ./p\nthe whole output is in x\n'
	echo '4 passed, 1 failed, 0 skipped'
	exit 2
	;;
broken)
	echo 'a.go:1: does not compile'
	exit 2
	;;
esac
`), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		targets string
		end     string
		well    bool
	}{
		{"good", "\nthe whole output is in build/log\n5 passed, 0 failed, 1 skipped\n", true},
		{"bad good", "\nfailed: make bad\nto run one of them again:\n    go test ./p\nthe whole output is in build/log\n9 passed, 1 failed, 1 skipped\n", false},
		{"broken good", "\nfailed: make broken\nthe whole output is in build/log\n5 passed, 1 failed, 1 skipped\n", false},
	} {
		cmd := exec.Command("../all", strings.Fields(test.targets)...)
		cmd.Env = append(os.Environ(), "MAKE="+fake)
		out, err := cmd.CombinedOutput()
		if !strings.HasSuffix(string(out), test.end) || (err == nil) != test.well {
			t.Errorf("%s: %v\n%s\nwant at the end\n%s", test.targets, err, out, test.end)
		}
	}
}
