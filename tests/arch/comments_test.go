// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"testing"
)

// uncommented finds packages that have no package comment, or more than one.
func uncommented(t *tree) (faults []string) {
	for _, p := range t.sorted() {
		comments := 0
		for _, file := range p.files {
			if file.Doc != nil {
				comments++
			}
		}
		switch {
		case comments == 0:
			faults = append(faults, fmt.Sprintf("%s has no package comment", p.dir))
		case comments > 1:
			faults = append(faults, fmt.Sprintf("%s has %d package comments", p.dir, comments))
		}
	}
	return faults
}

// undocumented finds exported names without a doc comment. A comment on a group counts
// for each name in it, and methods of the standard library's interfaces need none.
func undocumented(t *tree, dir string) (faults []string) {
	p := t.packages[dir]
	if p == nil {
		return []string{"there is no package " + dir}
	}
	tell := func(name *ast.Ident, docs ...*ast.CommentGroup) {
		for _, doc := range docs {
			if doc != nil {
				return
			}
		}
		if name.IsExported() {
			faults = append(faults, fmt.Sprintf("%s: %s has no doc comment", t.at(name), name.Name))
		}
	}
	for _, file := range p.files {
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil || receiverExported(d) && !standard[d.Name.Name] {
					tell(d.Name, d.Doc)
				}
			case *ast.GenDecl:
				if d.Tok != token.IMPORT {
					undocumentedSpecs(d, tell)
				}
			}
		}
	}
	return faults
}

var standard = map[string]bool{"Error": true, "Unwrap": true, "Is": true, "String": true}

func receiverExported(d *ast.FuncDecl) bool {
	expr := d.Recv.List[0].Type
	if star, ok := expr.(*ast.StarExpr); ok {
		expr = star.X
	}
	name, ok := expr.(*ast.Ident)
	return ok && name.IsExported()
}

func undocumentedSpecs(d *ast.GenDecl, tell func(*ast.Ident, ...*ast.CommentGroup)) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			tell(s.Name, d.Doc, s.Doc, s.Comment)
		case *ast.ValueSpec:
			for _, name := range s.Names {
				tell(name, d.Doc, s.Doc, s.Comment)
			}
		}
	}
}

func TestPackagesHaveComments(t *testing.T) { expect(t, uncommented(ours(t))) }

// Package libcontainer is the one that other programs would import, but the rule holds
// for all packages.
func TestExportsAreDocumented(t *testing.T) {
	all := ours(t)
	for dir := range all.packages {
		expect(t, undocumented(all, dir))
	}
}

func TestCommentRulesFind(t *testing.T) {
	one := func(text string) *tree {
		return fake(t, map[string]string{"libcontainer/a.go": text})
	}
	finds(t, uncommented(one("package libcontainer\n")), "libcontainer has no package comment")
	finds(t, uncommented(fake(t, map[string]string{"p/a.go": "// Package p is.\npackage p\n", "p/b.go": "// Also.\npackage p\n"})), "2 package comments")
	accepts(t, uncommented(fake(t, map[string]string{"p/a.go": "// Package p is.\npackage p\n", "p/b.go": "package p\n"})))

	for text, want := range map[string]string{
		"func F() {}":     "a.go:2: F has no",
		"type T struct{}": "T has no",
		"// T is.\ntype T int\nfunc (t *T) M() {}": "a.go:4: M has no",
		"var V, W = 1, f()\n// X is.\nvar X int":   "",
		"const (\n\t// A is.\n\tA = 1\n\tB = 2\n)": "B has no",
	} {
		faults := undocumented(one("package libcontainer\n"+text+"\n"), "libcontainer")
		if want == "" {
			if len(faults) != 2 {
				t.Errorf("%s: %q", text, faults)
			}
			continue
		}
		finds(t, faults, want)
	}
	accepts(t, undocumented(one("package libcontainer\nfunc f() {}\ntype e struct{}\nfunc (e) M() {}\n// The two.\nconst (\n\tA = 1\n\tB = 2 // is\n)\n// T is.\ntype T int\nfunc (T) Error() string { return \"\" }\n"), "libcontainer"))
	finds(t, undocumented(one("package libcontainer\n"), "elsewhere"), "no package elsewhere")
}
