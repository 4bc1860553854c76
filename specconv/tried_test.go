// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"regexp"
	"slices"
	"testing"

	"github.com/skiff-oci/skiff/tests/tried"
)

// Each option of mounts is in a script, as a word of its own.
func TestEveryMountOptionIsTried(t *testing.T) {
	quoted := func(name string) string { return `"` + regexp.QuoteMeta(name) + `"` }
	tried.Scripts(t).Check(t, "mount option", Features().MountOptions, quoted, nil)
}

// Each annotation that the source names is in a script, or in a test of this package.
func TestEveryAnnotationIsTried(t *testing.T) {
	name := regexp.MustCompile(`"((?:run\.oci|org\.criu|org\.systemd)\.[a-z_.]*[a-z_])[".]`)
	var names []string
	for file, text := range tried.Read(t, "specconv/*.go", "libcontainer/*.go", "commands/*.go") {
		if isTest(file) {
			continue
		}
		for _, found := range name.FindAllStringSubmatch(text, -1) {
			names = append(names, found[1])
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) < 10 {
		t.Fatalf("only these annotations were found: %q", names)
	}
	tests := tried.Scripts(t)
	for file, text := range tried.Read(t, "specconv/*_test.go") {
		tests[file] = text
	}
	whole := func(name string) string { return regexp.QuoteMeta(name) + `\b` }
	tests.Check(t, "annotation", names, whole, nil)
}

func isTest(file string) bool { return regexp.MustCompile(`_test\.go$`).MatchString(file) }
