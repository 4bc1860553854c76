// SPDX-License-Identifier: Apache-2.0

package store

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Each command reads the strings of a record, and create writes them twice. An engine
// may have megabytes of annotations, so the bytes that most strings consist of do not go
// through strconv, which decides on each rune.

// quote appends what [strconv.AppendQuote] appends.
func quote(b []byte, s string) []byte {
	b = append(b, '"')
	for s != "" {
		n := plainPrefix(s)
		b, s = append(b, s[:n]...), s[n:]
		if s == "" {
			break
		}
		switch c := s[0]; c {
		case '"', '\\':
			b, s = append(b, '\\', c), s[1:]
		case '\n':
			b, s = append(b, `\n`...), s[1:]
		case '\t':
			b, s = append(b, `\t`...), s[1:]
		default:
			_, n := utf8.DecodeRuneInString(s)
			at := len(b)
			b = strconv.AppendQuote(b, s[:n])
			b, s = append(b[:at], b[at+1:len(b)-1]...), s[n:] // without its quotes
		}
	}
	return append(b, '"')
}

// plainPrefix returns how many bytes at the beginning of s stand for themselves in
// quotes.
func plainPrefix(s string) int {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return i
		}
	}
	return len(s)
}

// unquote decodes the quoted string at the beginning of text, and returns what follows
// it.
func unquote(text string) (s, rest string, err error) {
	end := strings.IndexByte(text[1:], '"') + 1
	if end > 0 && strings.IndexByte(text[:end], '\\') < 0 {
		s, rest = text[1:end], text[end+1:]
		if utf8.ValidString(s) && strings.IndexByte(s, '\n') < 0 {
			return s, rest, nil
		}
	}
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", "", err
	}
	s, err = strconv.Unquote(quoted)
	return s, text[len(quoted):], err
}
