// SPDX-License-Identifier: Apache-2.0

package store

import (
	"strconv"
	"testing"
)

// FuzzQuote compares quote and unquote with package strconv.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{
		"", "plain", `a "quoted" word`, `back\slash`, "line\nand\ttab\r\a", "\x00\x7f\x80", "ü日本語\u2028\U0001f600", "\xed\xa0\x80 bad \xff",
		`"`, `"x`, `"x\`, `"x\"`, `"x" y`, `"\x41" "b"`, "\"a\nb\"", `"\ü"`, "\"\xff\" z", `"a\\" b`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		const before = "id "
		if got, want := string(quote([]byte(before), s)), before+strconv.Quote(s); got != want {
			t.Errorf("%q is quoted as %s, expected %s", s, got, want)
		}
		if s == "" || s[0] != '"' {
			return
		}
		prefix, err := strconv.QuotedPrefix(s)
		var want string
		if err == nil {
			want, err = strconv.Unquote(prefix)
		}
		got, rest, gotErr := unquote(s)
		if (gotErr == nil) != (err == nil) || err == nil && (got != want || rest != s[len(prefix):]) {
			t.Errorf("%s: %q, rest %q, %v; expected %q, rest %q, %v", s, got, rest, gotErr, want, s[len(prefix):], err)
		}
	})
}
