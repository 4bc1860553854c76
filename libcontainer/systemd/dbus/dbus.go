// SPDX-License-Identifier: Apache-2.0

// Package dbus has as much of D-Bus as a client of systemd needs: messages in the wire
// format, values with their types, and GVariant's text format, in which annotations give
// values. It opens nothing. It takes each byte that it reads for hostile.
//
// The usual library is not linked, since it brings networks, users and cryptography
// along, which each start of skiff would pay for. Tests compare with that library.
package dbus

import (
	"strings"
)

// Variant is a value with its type.
type Variant struct {
	signature string
	value     any
}

// The values of a variant are of these Go types, and of byte, bool, int16, uint16, int32,
// uint32, int64, uint64, float64, string (for the types s, o and g), []byte, []uint32,
// [][2]string (for a(ss)) and Variant.
type (
	list  []any // an array
	dict  []entry
	entry struct{ key, value any }
)

// Value returns the value. A string, an object path and a signature are a string.
func (v Variant) Value() any { return v.value }

// Signature returns the type in D-Bus's notation.
func (v Variant) Signature() string { return v.signature }

// String returns a string's variant.
func String(s string) Variant { return Variant{"s", s} }

// Bool returns a truth value's variant.
func Bool(b bool) Variant { return Variant{"b", b} }

// Uint64 returns a number's variant.
func Uint64(n uint64) Variant { return Variant{"t", n} }

// Bytes returns a byte array's variant.
func Bytes(b []byte) Variant { return Variant{"ay", b} }

// Uint32s returns the variant of an array of numbers.
func Uint32s(all ...uint32) Variant { return Variant{"au", all} }

// Pairs returns the variant of an array of pairs of strings.
func Pairs(all [][2]string) Variant { return Variant{"a(ss)", all} }

// IsPath reports whether s is an object path.
func IsPath(s string) bool {
	if s == "/" {
		return true
	}
	return strings.HasPrefix(s, "/") && !strings.HasSuffix(s, "/") && !strings.Contains(s, "//") &&
		strings.Trim(s, "/_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") == ""
}
