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

// tree is the source of the module, without its tests.
type tree struct {
	fset     *token.FileSet
	packages map[string]*pkg // by directory, "." is that of main
	lines    map[string]int  // of each file in Go, C or assembly
}

type pkg struct {
	dir   string
	files []*ast.File
}

// ours is this module's tree, whole whatever is built: no file is left out for
// the tags or the machine that it is for.
func ours(t *testing.T) *tree {
	t.Helper()
	all, err := parse(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// fake is a tree of files that are given by their path.
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

// outside reports whether a directory has nothing that the go command builds,
// or nothing that is kept.
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

// at is where something stands.
func (t *tree) at(n ast.Node) string {
	p := t.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// imported is the path that an import names.
func imported(spec *ast.ImportSpec) string {
	name, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		panic(err) // the parser has accepted it
	}
	return name
}

// own is the directory of a package of this module.
func own(importPath string) (dir string, ok bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// within reports whether a directory is another one, or below it.
func within(dir, other string) bool { return dir == other || strings.HasPrefix(dir, other+"/") }

// expect fails for each fault of the real tree.
func expect(t *testing.T, faults []string) {
	t.Helper()
	for _, fault := range faults {
		t.Error(fault)
	}
}

// finds fails unless a rule has one fault of a fake tree, which says want.
func finds(t *testing.T, faults []string, want string) {
	t.Helper()
	if len(faults) != 1 || !strings.Contains(faults[0], want) {
		t.Errorf("faults %q, want one that says %q", faults, want)
	}
}

// accepts fails if a rule has faults of a fake tree that keeps it.
func accepts(t *testing.T, faults []string) {
	t.Helper()
	if len(faults) > 0 {
		t.Errorf("faults %q of a tree that has none", faults)
	}
}
