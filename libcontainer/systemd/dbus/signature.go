// SPDX-License-Identifier: Apache-2.0

package dbus

import (
	"fmt"
	"strings"
)

// Limits of the D-Bus Specification ("Valid Signatures", "Marshaling").
const (
	longestSignature = 255
	deepest          = 32 // arrays in arrays, and structs in structs
	deepestValue     = 64 // with variants
	longestArray     = 1 << 26
	longestMessage   = 1 << 27
)

const basicTypes = "ybnqiuxtdsogh"

// one cuts the first complete type off a signature. ok is false if there is none.
func one(signature string) (first, rest string, ok bool) {
	n := length(signature, 0, 0)
	if n < 0 {
		return "", "", false
	}
	return signature[:n], signature[n:], true
}

// length returns the length of the first complete type of s, or -1. arrays and structs
// are the numbers of those that it is in.
func length(s string, arrays, structs int) int {
	switch {
	case s == "" || arrays > deepest || structs > deepest:
		return -1
	case s[0] == 'v' || strings.IndexByte(basicTypes, s[0]) >= 0:
		return 1
	case s[0] == '(':
		return structLength(s, arrays, structs+1)
	case s[0] != 'a':
		return -1
	case len(s) > 1 && s[1] == '{':
		return dictLength(s, arrays+1, structs)
	}
	n := length(s[1:], arrays+1, structs)
	if n < 0 {
		return -1
	}
	return 1 + n
}

func structLength(s string, arrays, structs int) int {
	at := 1
	for at < len(s) && s[at] != ')' {
		n := length(s[at:], arrays, structs)
		if n < 0 {
			return -1
		}
		at += n
	}
	if at == 1 || at >= len(s) {
		return -1 // empty, or without an end
	}
	return at + 1
}

func dictLength(s string, arrays, structs int) int {
	const key = len("a{")
	if len(s) <= key || strings.IndexByte(basicTypes, s[key]) < 0 {
		return -1
	}
	n := length(s[key+1:], arrays, structs+1)
	end := key + 1 + n
	if n < 0 || end >= len(s) || s[end] != '}' {
		return -1
	}
	return end + 1
}

// complete checks that s is one complete type.
func complete(s string) error {
	if _, rest, ok := one(s); !ok || rest != "" || len(s) > longestSignature {
		return fmt.Errorf("%.300q is not the signature of one type", s)
	}
	return nil
}

// types reports whether s is a list of complete types.
func types(s string) bool {
	ok := len(s) <= longestSignature
	for ok && s != "" {
		_, s, ok = one(s)
	}
	return ok
}

// alignment returns the boundary at which a value of a type begins.
func alignment(signature string) int {
	switch signature[0] {
	case 'n', 'q':
		return 2
	case 'b', 'i', 'u', 'h', 's', 'o', 'a':
		return 4
	case 'x', 't', 'd', '(', '{':
		return 8
	}
	return 1 // y g v
}

// fixed returns the size of a value of a type, or 0 if that depends on the value.
func fixed(signature string) int {
	switch signature[0] {
	case 'y', 'n', 'q', 'b', 'i', 'u', 'h', 'x', 't', 'd':
		return alignment(signature)
	}
	return 0
}
