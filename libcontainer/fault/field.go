// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"strconv"
	"strings"
)

// members are the top-level members of config.json that an error can be about.
var members = []string{
	"annotations", "domainname", "hooks", "hostname", "linux", "mounts", "ociVersion", "process", "root",
}

// fieldOf returns the JSON pointer of the field of config.json that an error is about:
// its text then begins with the field's path and a colon. It returns "" for any other
// text.
func fieldOf(text string) string {
	pointer, rest := "", text
	for _, m := range members {
		if after, ok := strings.CutPrefix(text, m); ok {
			pointer, rest = "/"+m, after
			break
		}
	}
	if pointer == "" {
		return ""
	}
	for {
		token, after, ok := nextToken(rest)
		if !ok {
			return ""
		}
		if token == "" {
			return pointer
		}
		pointer, rest = pointer+"/"+escape(token), after
	}
}

// nextToken takes the next member or index from the rest of a path: .member, [3] or
// ["key"]. The token is empty at the path's end, a colon.
func nextToken(rest string) (token, after string, ok bool) {
	switch {
	case strings.HasPrefix(rest, ": "):
		return "", rest, true
	case strings.HasPrefix(rest, `["`):
		quoted, err := strconv.QuotedPrefix(rest[1:])
		if err != nil {
			return "", "", false
		}
		token, err = strconv.Unquote(quoted)
		after, ok = strings.CutPrefix(rest[1+len(quoted):], "]")
		return token, after, ok && err == nil && token != ""
	case strings.HasPrefix(rest, "["):
		token, after, ok = strings.Cut(rest[1:], "]")
		return token, after, ok && isNumber(token)
	case strings.HasPrefix(rest, "."):
		end := 1
		for end < len(rest) && isLetter(rest[end]) {
			end++
		}
		return rest[1:end], rest[end:], end > 1
	}
	return "", "", false
}

func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// escape writes a member's name as a part of a JSON pointer (RFC 6901, section 3).
func escape(token string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
}
