// SPDX-License-Identifier: Apache-2.0

// Package tried searches the tests. By it, a test of a table (the options of mounts, the
// flags of verbs) asks for a test of each entry.
package tried

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Texts has the texts of tests by path, relative to the top of the tree.
type Texts map[string]string

// Read reads the files that match the patterns, which are relative to the top of the tree.
func Read(t testing.TB, patterns ...string) Texts {
	t.Helper()
	root := "."
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if root = filepath.Join(root, ".."); len(root) > 100 {
			t.Fatal("there is no go.mod above the working directory")
		}
	}
	all := make(Texts)
	for _, p := range patterns {
		files, err := filepath.Glob(filepath.Join(root, p))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no such files (%v)", p, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all[strings.TrimPrefix(f, root+"/")] = string(b)
		}
	}
	return all
}

// Scripts reads the scripts and the Go tests next to them.
func Scripts(t testing.TB) Texts {
	t.Helper()
	return Read(t, "tests/script/testdata/*.txt", "tests/script/*_test.go")
}

// Has reports whether a text has the pattern.
func (all Texts) Has(pattern *regexp.Regexp) bool {
	for _, text := range all {
		if pattern.MatchString(text) {
			return true
		}
	}
	return false
}

// Check fails the test for each entry that no text has, and for each exception that is
// none. pattern returns the pattern that a test of an entry has; exceptions has the
// reasons why entries have no test.
func (all Texts) Check(t testing.TB, what string, entries []string, pattern func(entry string) string, exceptions map[string]string) {
	t.Helper()
	known := make(map[string]bool)
	for _, e := range entries {
		known[e] = true
		has, reason := all.Has(regexp.MustCompile(pattern(e))), exceptions[e]
		switch {
		case !has && reason == "":
			t.Errorf("%s %s: no test uses it (searched for %s)", what, e, pattern(e))
		case has && reason != "":
			t.Errorf("%s %s: there is a test now; remove the exception", what, e)
		}
	}
	for e := range exceptions {
		if !known[e] {
			t.Errorf("%s %s: an exception for something that does not exist", what, e)
		}
	}
}
