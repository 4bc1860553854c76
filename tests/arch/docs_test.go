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
		if strings.HasPrefix(m[1], "build/") {
			continue // make makes it
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

func TestHackingIsTrue(t *testing.T) {
	root := os.DirFS("../..")
	page, err := fs.ReadFile(root, "docs/HACKING.md")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, untrue(string(page), root))
	if n := len(namedPath.FindAll(page, -1)); n < 15 {
		t.Errorf("%d paths were found in docs/HACKING.md", n)
	}
}

func TestDocumentRuleFinds(t *testing.T) {
	root := fstest.MapFS{
		"Makefile":    {Data: []byte("all:\n\ttrue\n")},
		"p/a_test.go": {Data: []byte("package p\n\nfunc TestA(t *testing.T) {}\n")},
	}
	accepts(t, untrue("`p/a_test.go`, `p/`, `build/log`, `TestA`, `make all`, `x.Y`, TestB", root))
	finds(t, untrue("`p/b.go`", root), "there is no p/b.go")
	finds(t, untrue("`q/`", root), "there is no q/")
	finds(t, untrue("`TestB`", root), "there is no test TestB")
	finds(t, untrue("`make none`", root), "make has no goal none")
}
