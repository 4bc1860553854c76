// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

const text = `Two words
on it.
file: a/b.go
-- old --
	one()
	two()
-- new --
	two()
	one()
`

func TestParse(t *testing.T) {
	m, err := parse("order", text)
	if err != nil {
		t.Fatal(err)
	}
	if *m != (mutant{name: "order", about: "Two words on it.", file: "a/b.go", pkg: "./a", old: "\tone()\n\ttwo()\n", new: "\ttwo()\n\tone()\n"}) {
		t.Errorf("%+v", m)
	}
	if m, err := parse("other", "test: ./c\n"+text); err != nil || m.pkg != "./c" {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := parse("without", strings.Split(text, "\ttwo()\n\tone")[0]); err != nil || m.new != "" {
		t.Errorf("%+v, %v", m, err)
	}
	for want, bad := range map[string]string{
		`there is no line "-- old --"`:    strings.Replace(text, "-- old", "-- odd", 1),
		`there is no line "-- new --"`:    strings.Replace(text, "-- new", "-- now", 1),
		`there is no line "file: PATH"`:   strings.Replace(text, "file: ", "files: ", 1),
		"nothing says what it stands for": strings.Replace(text, "Two words\non it.\n", "", 1),
		"the old text is empty":           strings.Replace(text, "\tone()\n\ttwo()\n", "", 1),
		"the new text is the old one":     strings.Replace(text, "\ttwo()\n\tone()\n", "\tone()\n\ttwo()\n", 1),
	} {
		if m, err := parse("bad", bad); err == nil || err.Error() != want {
			t.Errorf("%+v, %v, expected %s", m, err, want)
		}
	}
}

func TestApply(t *testing.T) {
	m, err := parse("order", text)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.apply("func f() {\n\tone()\n\ttwo()\n}\n"); err != nil || m.broken != "func f() {\n\ttwo()\n\tone()\n}\n" {
		t.Errorf("%q, %v", m.broken, err)
	}
	if err := m.apply("\tone()\n\ttwo()\n"); err != nil || m.broken != "\ttwo()\n\tone()\n" {
		t.Errorf("%q, %v", m.broken, err)
	}
	for source, want := range map[string]string{
		"\tone()\n\n\ttwo()\n":                    "a/b.go has not got the old text",
		"\t\tone()\n\ttwo()\n":                    "a/b.go has not got the old text",
		"\tone()\n\ttwo()\n\tone()\n\ttwo()\n":    "a/b.go has the old text more than once",
		"\tone()\n\ttwo()\n\n\tone()\n\ttwo()\nx": "a/b.go has the old text more than once",
	} {
		if err := m.apply(source); err == nil || err.Error() != want {
			t.Errorf("%q: %v, expected %s", source, err, want)
		}
	}
}

func TestChosen(t *testing.T) {
	for _, tt := range []struct {
		patterns []string
		want     bool
	}{{nil, true}, {[]string{"cred-*"}, true}, {[]string{"wire-*"}, false}, {[]string{"wire-*", "cred-ids"}, true}} {
		if got := chosen("cred-ids", tt.patterns); got != tt.want {
			t.Errorf("%q: %v", tt.patterns, got)
		}
	}
}

// For a table test, the case is named as well.
func TestFinder(t *testing.T) {
	for out, want := range map[string]string{
		"--- FAIL: TestA (0.00s)\n    a_test.go:1: no\nFAIL\n":                              "TestA",
		"--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/b (0.00s)\n        a_test.go:1: no\n": "TestA/b",
		"panic: test timed out after 2m0s\n\ngoroutine 1\n":                                 `"panic: test timed out after 2m0s"`,
	} {
		if got := finder([]byte(out)); got != want {
			t.Errorf("%q: %s, expected %s", out, got, want)
		}
	}
}
