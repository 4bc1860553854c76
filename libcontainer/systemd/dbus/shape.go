// SPDX-License-Identifier: Apache-2.0

package dbus

import (
	"errors"
	"strings"
)

// shape is what is known about the type of a value in text format: 7 may be of any
// numeric type, [] is an array of anything. nil is any type.
type shape struct {
	kind       byte   // 'b' a basic type, 'v' a variant, 'a' an array, '{' a dictionary, '(' a struct
	basic      string // of a basic type: the possible types, the default first
	key, value *shape // of a dictionary; value is also that of an array's elements
	signature  string // of a struct, which has no text
}

const (
	numeric = "iynquxtd"
	textual = "sgo"
)

// shapeOf returns the shape of values of a complete type.
func shapeOf(signature string) *shape {
	switch c := signature[0]; {
	case c == 'v':
		return &shape{kind: 'v'}
	case c == '(':
		return &shape{kind: '(', signature: signature}
	case c == 'a' && signature[1] == '{':
		return &shape{kind: '{', key: shapeOf(signature[2:3]), value: shapeOf(signature[3 : len(signature)-1])}
	case c == 'a':
		return &shape{kind: 'a', value: shapeOf(signature[1:])}
	}
	return &shape{kind: 'b', basic: signature}
}

// merge returns the shape that values of both shapes can have. ok is false if there is
// none.
func merge(a, b *shape) (both *shape, ok bool) {
	switch {
	case a == nil:
		return b, true
	case b == nil:
		return a, true
	case a.kind != b.kind || a.signature != b.signature:
		return nil, false
	}
	both = &shape{kind: a.kind, signature: a.signature}
	for _, c := range a.basic {
		if strings.ContainsRune(b.basic, c) {
			both.basic += string(c)
		}
	}
	if a.kind == 'b' {
		return both, both.basic != ""
	}
	if both.key, ok = merge(a.key, b.key); !ok {
		return nil, false
	}
	both.value, ok = merge(a.value, b.value)
	return both, ok
}

// decide returns the type that values of a shape get.
func (s *shape) decide() (string, error) {
	if s == nil {
		return "", errors.New("the type of an empty list must be given, such as @as []")
	}
	switch s.kind {
	case 'b':
		return s.basic[:1], nil
	case 'v':
		return "v", nil
	case '(':
		return s.signature, nil
	}
	value, err := s.value.decide()
	if err != nil || s.kind == 'a' {
		return "a" + value, err
	}
	key, err := s.key.decide()
	return "a{" + key + value + "}", err
}
