// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

var (
	namedTest = regexp.MustCompile("`(Test[A-Za-z]+)`")
	namedPath = regexp.MustCompile("`(?:make |go test )?([a-z.][A-Za-z0-9._-]*/[A-Za-z0-9._/-]*|[a-z]+\\.conf)`")
	goal      = regexp.MustCompile("`make ([a-z-]+)`")
)

// untrue finds paths, tests and targets of make that a page names in backquotes but that
// do not exist.
func untrue(page string, root fs.FS) (faults []string) {
	for _, m := range namedPath.FindAllStringSubmatch(page, -1) {
		if built := path.Clean(m[1]); built == "skiff" || within(built, "build") {
			continue
		}
		if _, err := fs.Stat(root, path.Clean(m[1])); err != nil {
			faults = append(faults, fmt.Sprintf("there is no %s", m[1]))
		}
	}
	tests, err := testNames(root)
	if err != nil {
		return append(faults, err.Error())
	}
	for _, m := range namedTest.FindAllStringSubmatch(page, -1) {
		if !tests[m[1]] {
			faults = append(faults, fmt.Sprintf("there is no test %s", m[1]))
		}
	}
	makefile, err := fs.ReadFile(root, "Makefile")
	if err != nil {
		return append(faults, err.Error())
	}
	for _, m := range goal.FindAllStringSubmatch(page, -1) {
		if !regexp.MustCompile(`(?m)^` + m[1] + `:`).Match(makefile) {
			faults = append(faults, fmt.Sprintf("make has no goal %s", m[1]))
		}
	}
	return faults
}

// testNames returns the names of all tests in the tree.
func testNames(root fs.FS) (map[string]bool, error) {
	names := make(map[string]bool)
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	return names, fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && outside(name):
			return fs.SkipDir
		case !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		for _, m := range function.FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
		return err
	})
}

var (
	link       = regexp.MustCompile(`\]\(([^)#:]+)(#[^):]*)?\)`)
	namedEntry = regexp.MustCompile("`([a-z0-9]+(?:-[a-z0-9]+)+|hostname|hooks|spec)`")
)

// deadLinks finds links of a page, which is at the given path, to files that do not exist.
func deadLinks(name, page string, root fs.FS) (faults []string) {
	for _, m := range link.FindAllStringSubmatch(page, -1) {
		target := path.Join(path.Dir(name), m[1])
		if _, err := fs.Stat(root, target); err != nil {
			faults = append(faults, fmt.Sprintf("%s: a link leads to %s, which does not exist", name, target))
		}
	}
	return faults
}

// missingScripts finds scripts that are named in the last column of a table's rows but
// that do not exist.
func missingScripts(page string, root fs.FS) (faults []string) {
	for line := range strings.Lines(page) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if !strings.HasPrefix(line, "| ") || len(cells) < 5 {
			continue
		}
		for _, m := range namedEntry.FindAllStringSubmatch(cells[3], -1) {
			if _, err := fs.Stat(root, "tests/script/testdata/"+m[1]+".txt"); err != nil {
				faults = append(faults, "there is no script "+m[1])
			}
		}
	}
	return faults
}

// pages has the documents that are checked, each with the number of paths that are found
// in it at least.
var pages = map[string]int{
	"README.md": 7, "CONTRIBUTING.md": 1, "CHANGELOG.md": 0, "SECURITY.md": 0, "CODE_OF_CONDUCT.md": 0,
	"docs/ARCHITECTURE.md": 40, "docs/MOUNTS.md": 3, "docs/STATE.md": 5, "docs/SECURITY-MODEL.md": 3, "docs/PERFORMANCE.md": 3,
	"docs/GETTING-STARTED.md": 1, "docs/HACKING.md": 15, "docs/INHERITED.md": 1, "docs/KERNELS.md": 3, "docs/TRACING.md": 3,
	"docs/RELEASING.md": 3, "docs/ERRORS.md": 0,
}

func TestDocumentsAreTrue(t *testing.T) {
	root := os.DirFS("../..")
	for name, paths := range pages {
		page, err := fs.ReadFile(root, name)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, fault := range untrue(string(page), root) {
			t.Errorf("%s: %s", name, fault)
		}
		expect(t, deadLinks(name, string(page), root))
		if n := len(namedPath.FindAll(page, -1)); n < paths {
			t.Errorf("%d paths were found in %s", n, name)
		}
		if name == "docs/SECURITY-MODEL.md" {
			expect(t, missingScripts(string(page), root))
		}
	}
}

func TestDocumentRuleFinds(t *testing.T) {
	root := fstest.MapFS{
		"Makefile":    {Data: []byte("all:\n\ttrue\n")},
		"p/a_test.go": {Data: []byte("package p\n\nfunc TestA(t *testing.T) {}\n")},
	}
	accepts(t, untrue("`p/a_test.go`, `p/`, `./skiff`, `build/x`, `TestA`, `make all`, `x.Y`, TestB", root))
	finds(t, untrue("`p/b.go`", root), "there is no p/b.go")
	finds(t, untrue("`q/`", root), "there is no q/")
	finds(t, untrue("`TestB`", root), "there is no test TestB")
	finds(t, untrue("`make none`", root), "make has no goal none")

	pages := fstest.MapFS{"docs/A.md": {}, "B.md": {}, "tests/script/testdata/a-b.txt": {}}
	accepts(t, deadLinks("docs/A.md", "[a](A.md) [b](../B.md#c) [d](#e) [f](https://example.com/g)", pages))
	finds(t, deadLinks("docs/A.md", "[b](B.md)", pages), "docs/B.md")
	accepts(t, missingScripts("| `x-y` | `z-z` | `a-b`, `TestA` |\n`c-d`\n", pages))
	finds(t, missingScripts("| x | y | `a-b`, `c-d` |\n", pages), "there is no script c-d")
}
