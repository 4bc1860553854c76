// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const license = "SPDX-License-Identifier: Apache-2.0"

// unlicensed finds source files that do not name their licence in the first line, or in
// the second one after the interpreter of a script.
func unlicensed(root fs.FS) (faults []string) {
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && name != ".ci" && outside(name):
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		first, rest, _ := strings.Cut(string(text), "\n")
		second, _, _ := strings.Cut(rest, "\n")
		want, got := "// "+license, first
		switch {
		case strings.HasPrefix(first, "#!"):
			want, got = "# "+license, second
		case path.Base(name) == "Makefile":
			want = "# " + license
		case !slices.Contains([]string{".go", ".c", ".h", ".s"}, path.Ext(name)):
			return nil
		}
		if got != want {
			faults = append(faults, fmt.Sprintf("%s: its first line is not %q", name, want))
		}
		return nil
	})
	if err != nil {
		faults = append(faults, err.Error())
	}
	return faults
}

func TestSourceNamesItsLicense(t *testing.T) { expect(t, unlicensed(os.DirFS("../.."))) }

func TestLicenseRuleFinds(t *testing.T) {
	one := func(name, text string) fs.FS { return fstest.MapFS{name: {Data: []byte(text)}} }
	accepts(t, unlicensed(one("p/a.go", "// "+license+"\n\npackage p\n")))
	accepts(t, unlicensed(one("a", "#!/bin/sh\n# "+license+"\n")))
	accepts(t, unlicensed(one("p/testdata/a.go", "package p\n")))
	accepts(t, unlicensed(one("a.md", "# A\n")))
	finds(t, unlicensed(one("p/a.go", "package p\n")), "p/a.go")
	finds(t, unlicensed(one("p/a.c", "\n// "+license+"\n")), "p/a.c")
	finds(t, unlicensed(one(".ci/run", "#!/bin/sh\nset -eu\n")), ".ci/run")
	finds(t, unlicensed(one("Makefile", "all:\n")), "Makefile")
}
