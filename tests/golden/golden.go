// SPDX-License-Identifier: Apache-2.0

// Package golden compares what tests produce with files that are committed, and writes
// these files anew if a test is run with the flag -update.
package golden

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
)

var update = flag.Bool("update", false, "write the golden files anew")

// most is how many lines of a difference are shown.
const most = 20

// Compare fails the test if the file has another text, and shows how they differ and the
// command that writes the file anew. With -update it writes the file.
func Compare(t testing.TB, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	t.Errorf("%s differs from what the test gets (+):\n%s\nIf the change is intended, write the file anew and review it:\n    %s",
		file, shown(diff.Diff(file, want, "now", got)), command(t.Name()))
}

// shown returns the first lines of a difference, without its header.
func shown(text []byte) string {
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) > 0 && strings.HasPrefix(lines[0], "diff ") {
		lines = lines[1:]
	}
	if len(lines) > most {
		lines = append(lines[:most:most], fmt.Sprintf("... %d more lines", len(lines)-most))
	}
	return strings.Join(lines, "\n")
}

// command returns the command that runs a test of the package in the working directory
// with -update, from the top of the tree.
func command(test string) string {
	dir, err := os.Getwd()
	if err != nil {
		return err.Error()
	}
	root := dir
	for root != "/" {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		root = filepath.Dir(root)
	}
	path, err := filepath.Rel(root, dir)
	if err != nil {
		return err.Error()
	}
	test, _, _ = strings.Cut(test, "/")
	return fmt.Sprintf("go test -tags cparts ./%s -run '^%s$' -update", path, test)
}
