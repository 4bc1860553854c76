// SPDX-License-Identifier: Apache-2.0

package script

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// patchText applies a merge patch, given as JSON, to a JSON file.
func patchText(file, patch string) error {
	var p map[string]any
	if err := json.Unmarshal([]byte(patch), &p); err != nil {
		return fmt.Errorf("patch %s: %w", patch, err)
	}
	if byUser() {
		keepUser(p)
	}
	return patchFile(file, p)
}

func patchFile(file string, patch map[string]any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var doc any
	if err := json.Unmarshal(b, &doc); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if b, err = json.MarshalIndent(merge(doc, patch), "", "  "); err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o644)
}

// merge applies a merge patch as in RFC 7386; in addition, a key "name+" appends to the
// list name.
func merge(doc, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	old, _ := doc.(map[string]any)
	out := maps.Clone(old)
	if out == nil {
		out = make(map[string]any)
	}
	for key, value := range p {
		name, appends := strings.CutSuffix(key, "+")
		list, isList := value.([]any)
		switch {
		case appends && isList:
			before, _ := out[name].([]any)
			out[name] = append(before, list...)
		case value == nil:
			delete(out, key)
		default:
			out[key] = merge(out[key], value)
		}
	}
	return out
}

// lookup returns the value at a path like a.b[0].c in a JSON document.
func lookup(doc []byte, path string) (value any, found bool, err error) {
	if err := json.Unmarshal(doc, &value); err != nil {
		return nil, false, fmt.Errorf("%w in %q", err, doc)
	}
	path = strings.ReplaceAll(path, "[", ".[")
	for step := range strings.SplitSeq(strings.TrimPrefix(path, "."), ".") {
		if step == "" {
			continue
		}
		if value, found = child(value, step); !found {
			return nil, false, nil
		}
	}
	return value, true, nil
}

func child(value any, step string) (any, bool) {
	if digits, ok := strings.CutPrefix(step, "["); ok {
		i, err := strconv.Atoi(strings.TrimSuffix(digits, "]"))
		list, isList := value.([]any)
		if err != nil || !isList || i < 0 || i >= len(list) {
			return nil, false
		}
		return list[i], true
	}
	object, _ := value.(map[string]any)
	v, ok := object[step]
	return v, ok
}

// equalJSON compares a value with JSON text, or with a string that is not quoted.
func equalJSON(got any, want string) bool {
	var w any
	if json.Unmarshal([]byte(want), &w) != nil {
		w = want
	}
	return reflect.DeepEqual(got, w)
}

func compact(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestMerge(t *testing.T) {
	const doc = `{"a":{"b":1,"c":[1,2]},"d":"x"}`
	for patch, want := range map[string]string{
		`{"a":{"b":2}}`:        `{"a":{"b":2,"c":[1,2]},"d":"x"}`,
		`{"a":{"c":[3]}}`:      `{"a":{"b":1,"c":[3]},"d":"x"}`,
		`{"a":{"c+":[3]}}`:     `{"a":{"b":1,"c":[1,2,3]},"d":"x"}`,
		`{"d":null}`:           `{"a":{"b":1,"c":[1,2]}}`,
		`{"n":{"m":{"k":[]}}}`: `{"a":{"b":1,"c":[1,2]},"d":"x","n":{"m":{"k":[]}}}`,
	} {
		var d, p any
		if err := json.Unmarshal([]byte(doc), &d); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(patch), &p); err != nil {
			t.Fatal(err)
		}
		if got := compact(merge(d, p)); got != want {
			t.Errorf("%s: got %s, want %s", patch, got, want)
		}
	}
}

func TestLookup(t *testing.T) {
	doc := []byte(`{"a":{"b":[{"c":"x"}]}}`)
	for path, want := range map[string]string{"a.b[0].c": `"x"`, "a.b": `[{"c":"x"}]`, "": string(doc)} {
		if got, found, err := lookup(doc, path); err != nil || !found || compact(got) != want {
			t.Errorf("%q: got %s, %v, %v, want %s", path, compact(got), found, err, want)
		}
	}
	for _, path := range []string{"x", "a.b[1]", "a.b.c", "a[0]"} {
		if got, found, err := lookup(doc, path); err != nil || found {
			t.Errorf("%q: got %s, %v, %v, want nothing", path, compact(got), found, err)
		}
	}
}
