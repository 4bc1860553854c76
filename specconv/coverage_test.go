// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	goldenfile "github.com/skiff-oci/skiff/tests/golden"
)

// coverageFile has a row for every field of the specification that applies to Linux:
//
//	PATH | CODE | TESTS
//	PATH | refused: ERROR | PATCH
//
// CODE lists declarations as FILE:NAME, from the top of the tree, and operations of
// package program (program.Mask). TESTS lists scripts of tests/script/testdata, without
// ".txt", and Go tests as FILE:TestName. The row of a refused field has the error, and a
// merge patch for the example configuration that causes it.
const (
	coverageFile = "testdata/coverage.txt"
	coverageDoc  = "../docs/COVERAGE.md"
)

type coverageRow struct{ path, code, tests string }

// TestCoverage keeps docs/COVERAGE.md correct: every field has a row, every row a field,
// and the code and tests that a row names exist. -update writes the document.
func TestCoverage(t *testing.T) {
	rows := coverageRows(t)
	fields := specFields(reflect.TypeFor[specs.Spec](), "")
	have := make(map[string]bool)
	for _, r := range rows {
		if have[r.path] {
			t.Errorf("%s: %s has two rows", coverageFile, r.path)
		}
		have[r.path] = true
		if !slices.Contains(fields, r.path) {
			t.Errorf("%s: the specification has no field %s", coverageFile, r.path)
		}
		r.check(t)
	}
	for _, f := range fields {
		if !have[f] {
			t.Errorf("%s: no row for %s", coverageFile, f)
		}
	}
	for _, path := range unsupportedFields(t) {
		for _, r := range rows {
			below := r.path == path || strings.HasPrefix(r.path, path) && strings.IndexByte(".[{", r.path[len(path)]) >= 0
			if below && !strings.HasPrefix(r.code, "refused: ") {
				t.Errorf("%s: it is refused as not supported, and its row does not say so", r.path)
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b coverageRow) int {
		return slices.Index(fields, a.path) - slices.Index(fields, b.path)
	})
	goldenfile.Compare(t, coverageDoc, coverageMarkdown(rows))
}

// unsupportedFields returns the fields that are refused as not supported, with paths as
// in the rows. It compiles a configuration that has every field.
func unsupportedFields(t *testing.T) (paths []string) {
	raw, err := os.ReadFile(everyField)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := decodeSpec(raw)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = Compile(spec, options)
	index := regexp.MustCompile(`\[[0-9]+\]`)
	for _, v := range faults(err) {
		if strings.HasSuffix(v.Text, "not supported yet") {
			paths = append(paths, index.ReplaceAllString(v.Path, "[]"))
		}
	}
	return paths
}

func coverageRows(t *testing.T) (rows []coverageRow) {
	for n, line := range textLines(t, coverageFile) {
		if line == "" || line[0] == '#' {
			continue
		}
		cells := strings.SplitN(line, " | ", 3)
		if len(cells) != 3 || slices.Contains(cells, "") {
			t.Fatalf("%s:%d: %q: three cells are expected", coverageFile, n+1, line)
		}
		rows = append(rows, coverageRow{cells[0], cells[1], cells[2]})
	}
	return rows
}

func textLines(t *testing.T, file string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// specFields lists the JSON paths of all leaves of a type that apply to Linux, with [] for
// the elements of a list and {} for those of a map.
func specFields(typ reflect.Type, path string) (all []string) {
	switch typ.Kind() {
	case reflect.Pointer:
		return specFields(typ.Elem(), path)
	case reflect.Slice:
		return specFields(typ.Elem(), path+"[]")
	case reflect.Map:
		return specFields(typ.Elem(), path+"{}")
	case reflect.Struct:
	default:
		return []string{path}
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch on := f.Tag.Get("platform"); {
		case on != "" && !slices.Contains(strings.Split(on, ","), "linux"):
		case f.Anonymous:
			all = append(all, specFields(f.Type, path)...)
		default:
			all = append(all, specFields(f.Type, under(path, name))...)
		}
	}
	return all
}

func (r *coverageRow) check(t *testing.T) {
	if text, ok := strings.CutPrefix(r.code, "refused: "); ok {
		r.checkRefused(t, text)
		return
	}
	for place := range strings.SplitSeq(r.code, ", ") {
		if err := checkPlace(place); err != nil {
			t.Errorf("%s: %v", r.path, err)
		}
	}
	mentioned := false
	for test := range strings.SplitSeq(r.tests, ", ") {
		text, err := testText(test)
		if err != nil {
			t.Errorf("%s: %v", r.path, err)
		}
		mentioned = mentioned || mentions(text, r.path)
	}
	if !mentioned {
		t.Errorf("%s: none of %s has the field in it", r.path, r.tests)
	}
}

// checkRefused compiles the example with the field, and compares the error with want.
func (r *coverageRow) checkRefused(t *testing.T, want string) {
	doc, err := json.Marshal(Example(false))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := decodeSpec(mergeJSON(t, doc, []byte(r.tests)))
	if err != nil {
		t.Fatalf("%s: %v", r.path, err)
	}
	_, _, err = Compile(spec, options)
	if text(err) != want {
		t.Errorf("%s: error %q, expected %q. If it is supported now: its row names code and tests, and README has it no more.", r.path, text(err), want)
	}
}

// mergeJSON applies a merge patch (RFC 7386) that removes nothing.
func mergeJSON(t *testing.T, doc, patch []byte) []byte {
	var d, p map[string]any
	for _, x := range []struct {
		text []byte
		into *map[string]any
	}{{doc, &d}, {patch, &p}} {
		dec := json.NewDecoder(bytes.NewReader(x.text))
		dec.UseNumber()
		if err := dec.Decode(x.into); err != nil {
			t.Fatalf("%s: %v", x.text, err)
		}
	}
	merged, err := json.Marshal(mergeMap(d, p))
	if err != nil {
		t.Fatal(err)
	}
	return merged
}

func mergeMap(into, patch map[string]any) map[string]any {
	for k, v := range patch {
		below, isMap := v.(map[string]any)
		old, wasMap := into[k].(map[string]any)
		if isMap && wasMap {
			v = mergeMap(old, below)
		}
		into[k] = v
	}
	return into
}

// checkPlace checks that a place exists: FILE:NAME, a declaration in Go or a function in
// C, or program.NAME, an operation.
func checkPlace(place string) error {
	file, name, ok := strings.Cut(place, ":")
	files := []string{file}
	if !ok {
		name = strings.TrimPrefix(place, "program.")
		files, _ = filepath.Glob("../libcontainer/program/ops_*.go")
		for i := range files {
			files[i] = strings.TrimPrefix(files[i], "../")
		}
	}
	var b []byte
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join("..", f))
		if err != nil {
			return err
		}
		b = append(b, text...)
	}
	decl := regexp.MustCompile(`(?m)^(func (\([^)]*\) )?|type |var |const |\t|[a-z][a-z ]*[ *])` + regexp.QuoteMeta(name) + `\b`)
	if !decl.Match(b) {
		return fmt.Errorf("%s: %s has no %s", place, file, name)
	}
	return nil
}

// testText returns the text of a script, or of a Go test function.
func testText(test string) (string, error) {
	file, name, ok := strings.Cut(test, ":")
	if !ok {
		file = "tests/script/testdata/" + test + ".txt"
	}
	b, err := os.ReadFile(filepath.Join("..", file))
	if err != nil {
		return "", err
	}
	if !ok {
		return string(b), nil
	}
	_, body, found := strings.Cut(string(b), "\nfunc "+name+"(")
	if !found {
		return "", fmt.Errorf("%s: there is no %s", file, name)
	}
	body, _, _ = strings.Cut(body, "\n}\n")
	return body, nil
}

// mentions reports whether a test contains the last two names of a path. It ignores case:
// a script has the names of JSON, a Go test those of Go.
func mentions(text, path string) bool {
	names := strings.Split(strings.NewReplacer("[]", "", "{}", "").Replace(path), ".")
	text = strings.ToLower(text)
	for _, name := range names[max(0, len(names)-2):] {
		if !strings.Contains(text, strings.ToLower(name)) {
			return false
		}
	}
	return true
}

func coverageMarkdown(rows []coverageRow) []byte {
	var b bytes.Buffer
	b.WriteString("# config.json, field by field\n\n" +
		"Every field of the runtime specification " + specs.Version + " that is for Linux: the code that supports it, and the tests\n" +
		"that would fail without it. `go test ./specconv -run TestCoverage -update` makes this file of\n" +
		"`specconv/testdata/coverage.txt` and of the specification's Go types; the test fails when the two differ, or when what\n" +
		"is named here does not exist.\n\n" +
		"Names such as `program.Mask` are operations of the child (`libcontainer/program`). Tests without a file name are the\n" +
		"scripts in `tests/script/testdata`.\n\n")
	refused := 0
	b.WriteString("| field | code | tests |\n|---|---|---|\n")
	for _, r := range rows {
		if text, ok := strings.CutPrefix(r.code, "refused: "); ok {
			refused++
			fmt.Fprintf(&b, "| `%s` | **refused** | `%s` |\n", r.path, text)
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.path, quoteAll(r.code), quoteAll(r.tests))
	}
	fmt.Fprintf(&b, "\n%d fields, of which %d are refused.\n", len(rows), refused)
	return b.Bytes()
}

func quoteAll(list string) string {
	return "`" + strings.Join(strings.Split(list, ", "), "`, `") + "`"
}
