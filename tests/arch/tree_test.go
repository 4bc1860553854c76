// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/skiff-oci/skiff"

// tree is the source of the module without test files.
type tree struct {
	fset     *token.FileSet
	packages map[string]*pkg // by directory; "." is the one of main
	lines    map[string]int  // of each file in Go, C or assembly, by path
}

type pkg struct {
	dir   string
	files []*ast.File
}

// ours returns the tree of this module. It has all files, whatever build tags or
// architecture they are for.
func ours(t *testing.T) *tree {
	t.Helper()
	all, err := parse(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// fake returns a tree of files that are given by path.
func fake(t *testing.T, files map[string]string) *tree {
	t.Helper()
	m := make(fstest.MapFS)
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	all, err := parse(m)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func parse(root fs.FS) (*tree, error) {
	t := &tree{fset: token.NewFileSet(), packages: make(map[string]*pkg), lines: make(map[string]int)}
	return t, fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && outside(name):
			return fs.SkipDir
		case entry.IsDir() || strings.HasSuffix(name, "_test.go") || !slices.Contains([]string{".go", ".c", ".h", ".s"}, path.Ext(name)):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		return t.add(name, text)
	})
}

// outside reports whether the files of a directory are not part of the tree: the go
// command ignores the directory, or it is a build directory.
func outside(dir string) bool {
	base := path.Base(dir)
	return dir == "build" || base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")
}

func (t *tree) add(name string, text []byte) error {
	t.lines[name] = bytes.Count(text, []byte("\n"))
	if path.Ext(name) != ".go" {
		return nil
	}
	file, err := parser.ParseFile(t.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	if t.packages[dir] == nil {
		t.packages[dir] = &pkg{dir: dir}
	}
	t.packages[dir].files = append(t.packages[dir].files, file)
	return nil
}

// sorted returns the packages in the order of their directories.
func (t *tree) sorted() []*pkg {
	all := make([]*pkg, 0, len(t.packages))
	for _, p := range t.packages {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *pkg) int { return strings.Compare(a.dir, b.dir) })
	return all
}

// at returns the file and line of a node.
func (t *tree) at(n ast.Node) string {
	p := t.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// imported returns the import path of an import.
func imported(spec *ast.ImportSpec) string {
	name, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		panic(err) // the parser has accepted it
	}
	return name
}

// dirOf returns the directory of an import path; ok is false if it is not in this module.
func dirOf(importPath string) (dir string, ok bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// within reports whether dir is other or is below it.
func within(dir, other string) bool { return dir == other || strings.HasPrefix(dir, other+"/") }

// expect reports each fault as an error. It is for the real tree.
func expect(t *testing.T, faults []string) {
	t.Helper()
	for _, fault := range faults {
		t.Error(fault)
	}
}

// finds fails the test unless there is exactly one fault and it contains want. It is for
// a fake tree.
func finds(t *testing.T, faults []string, want string) {
	t.Helper()
	if len(faults) != 1 || !strings.Contains(faults[0], want) {
		t.Errorf("faults %q, want one that says %q", faults, want)
	}
}

// accepts fails the test if a rule finds faults in a fake tree that keeps to the rule.
func accepts(t *testing.T, faults []string) {
	t.Helper()
	if len(faults) > 0 {
		t.Errorf("faults %q of a tree that has none", faults)
	}
}
