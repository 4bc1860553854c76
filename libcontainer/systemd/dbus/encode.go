// SPDX-License-Identifier: Apache-2.0

package dbus

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// encoder writes values in the wire format, in little-endian byte order. After an error
// it goes on, to no effect.
type encoder struct {
	b     []byte
	depth int
	err   error
}

func (e *encoder) fail(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf("D-Bus: "+format, args...)
	}
}

func (e *encoder) align(n int) {
	for len(e.b)%n != 0 {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) uint16(n uint16) {
	e.align(2)
	e.b = binary.LittleEndian.AppendUint16(e.b, n)
}

func (e *encoder) uint32(n uint32) {
	e.align(4)
	e.b = binary.LittleEndian.AppendUint32(e.b, n)
}

func (e *encoder) uint64(n uint64) {
	e.align(8)
	e.b = binary.LittleEndian.AppendUint64(e.b, n)
}

// text writes a string of the type s, o or g.
func (e *encoder) text(signature, s string) {
	switch {
	case !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0:
		e.fail("%.100q: a string must be UTF-8 without null bytes", s)
	case signature == "o" && !IsPath(s):
		e.fail("%.100q is not an object path", s)
	case signature == "g" && !types(s):
		e.fail("%.300q is not a signature", s)
	}
	if signature == "g" {
		e.b = append(e.b, byte(len(s)))
	} else {
		e.uint32(uint32(len(s)))
	}
	e.b = append(append(e.b, s...), 0)
}

func (e *encoder) variant(v Variant) {
	if err := complete(v.signature); err != nil {
		e.fail("%v", err)
		return
	}
	e.text("g", v.signature)
	if e.deeper() {
		e.value(v.signature, v.value)
		e.depth--
	}
}

// deeper reports whether there may be one level more.
func (e *encoder) deeper() bool {
	if e.depth >= deepestValue {
		e.fail("a value is nested more than %d levels deep", deepestValue)
		return false
	}
	e.depth++
	return true
}

// array writes the length of an array around its elements.
func (e *encoder) array(element string, write func()) {
	if !e.deeper() {
		return
	}
	e.uint32(0)
	at := len(e.b)
	e.align(alignment(element))
	begin := len(e.b)
	write()
	if n := len(e.b) - begin; n > longestArray {
		e.fail("an array has %d bytes, more than %d", n, longestArray)
	} else {
		binary.LittleEndian.PutUint32(e.b[at-4:], uint32(n))
	}
	e.depth--
}

// value writes a value of one complete type.
func (e *encoder) value(signature string, v any) {
	if e.err != nil {
		return
	}
	switch v := v.(type) {
	case string:
		e.text(signature, v)
	case Variant:
		e.variant(v)
	case []byte:
		e.array("y", func() { e.b = append(e.b, v...) })
	case []uint32:
		e.array("u", func() {
			for _, n := range v {
				e.uint32(n)
			}
		})
	case [][2]string:
		e.array("(ss)", func() {
			for _, pair := range v {
				e.align(8)
				e.text("s", pair[0])
				e.text("s", pair[1])
			}
		})
	case list:
		e.array(signature[1:], func() {
			for _, element := range v {
				e.value(signature[1:], element)
			}
		})
	case dict:
		e.array(signature[1:], func() {
			for _, pair := range v {
				e.align(8)
				e.value(signature[2:3], pair.key)
				e.value(signature[3:len(signature)-1], pair.value)
			}
		})
	default:
		e.number(v)
	}
}

func (e *encoder) number(v any) {
	switch v := v.(type) {
	case byte:
		e.b = append(e.b, v)
	case bool:
		if v {
			e.uint32(1)
		} else {
			e.uint32(0)
		}
	case int16:
		e.uint16(uint16(v))
	case uint16:
		e.uint16(v)
	case int32:
		e.uint32(uint32(v))
	case uint32:
		e.uint32(v)
	case int64:
		e.uint64(uint64(v))
	case uint64:
		e.uint64(v)
	case float64:
		e.uint64(math.Float64bits(v))
	default:
		e.fail("a %T has no type in D-Bus", v)
	}
}

// Body is the body of a message that is written.
type Body struct {
	signature string
	e         encoder
}

// String adds a string.
func (b *Body) String(s string) *Body {
	b.signature += "s"
	b.e.text("s", s)
	return b
}

// Bool adds a truth value.
func (b *Body) Bool(v bool) *Body {
	b.signature += "b"
	b.e.number(v)
	return b
}

// Uint32s adds an array of numbers.
func (b *Body) Uint32s(all ...uint32) *Body {
	b.signature += "au"
	b.e.value("au", all)
	return b
}

// Property is a name with a value, of the type (sv).
type Property struct {
	Name  string
	Value Variant
}

// Properties adds an array of properties, a(sv).
func (b *Body) Properties(all []Property) *Body {
	b.signature += "a(sv)"
	b.e.array("(sv)", func() {
		for _, p := range all {
			b.e.align(8)
			b.e.text("s", p.Name)
			b.e.variant(p.Value)
		}
	})
	return b
}

// NoUnits adds an empty array of the type a(sa(sv)), units with their properties.
func (b *Body) NoUnits() *Body {
	b.signature += "a(sa(sv))"
	b.e.value("a(sa(sv))", list(nil))
	return b
}
