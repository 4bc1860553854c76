// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decodeFast decodes an ordinary JSON document into the struct that v points to. It
// returns false for anything out of the ordinary, such as a syntax error, a value that
// does not fit its type, or a key that is there twice or in another case. Then the
// content of v is undefined, and the caller leaves the document to encoding/json, which
// also has the error messages.
//
// Its only purpose is speed. encoding/json first analyses each type by reflection. That
// pays off in a server, but skiff decodes few documents in its life, and the analysis
// takes longer than the decoding.
func decodeFast(doc []byte, v any) bool {
	d := fastDecoder{doc: doc}
	if !d.value(reflect.ValueOf(v).Elem(), 0) {
		return false
	}
	d.space()
	return d.at == len(doc)
}

// fastDecoder is the state of decodeFast. Its methods return false for what is out of
// the ordinary.
type fastDecoder struct {
	doc []byte
	at  int // offset of the next byte
}

// maxDepth bounds the recursion; config.json has about ten levels.
const maxDepth = 64

func (d *fastDecoder) space() {
	for d.at < len(d.doc) {
		switch d.doc[d.at] {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return
		}
	}
}

// peek returns the next byte that is no white space, or 0 at the end. It does not pass it.
func (d *fastDecoder) peek() byte {
	d.space()
	if d.at == len(d.doc) {
		return 0
	}
	return d.doc[d.at]
}

// take passes the next byte that is no white space, if it is c, and reports whether it is.
func (d *fastDecoder) take(c byte) bool {
	if d.peek() != c {
		return false
	}
	d.at++
	return true
}

func (d *fastDecoder) word(w string) bool {
	d.space()
	if len(d.doc)-d.at < len(w) || string(d.doc[d.at:d.at+len(w)]) != w {
		return false
	}
	d.at += len(w)
	return true
}

func (d *fastDecoder) value(into reflect.Value, depth int) bool {
	if depth > maxDepth {
		return false
	}
	if d.peek() == 'n' {
		// null leaves the zero value, also of what is no pointer.
		return d.word("null")
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return d.value(into.Elem(), depth+1)
	case reflect.Struct:
		return d.object(into, depth)
	case reflect.Map:
		return d.table(into, depth)
	case reflect.Slice:
		return d.array(into, depth)
	case reflect.String:
		s, ok := d.text()
		into.SetString(s)
		return ok
	case reflect.Bool:
		yes := d.peek() == 't'
		into.SetBool(yes)
		return yes && d.word("true") || d.word("false")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(d.integer(), 10, 64)
		if err != nil || into.OverflowInt(n) {
			return false
		}
		into.SetInt(n)
		return true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(d.integer(), 10, 64)
		if err != nil || into.OverflowUint(n) {
			return false
		}
		into.SetUint(n)
		return true
	}
	return false
}

// integer returns the text of a number without fraction and exponent, and passes it. It is
// empty if the number has one of these or a leading zero.
func (d *fastDecoder) integer() string {
	d.space()
	from := d.at
	if d.at < len(d.doc) && d.doc[d.at] == '-' {
		d.at++
	}
	digits := d.at
	for d.at < len(d.doc) && '0' <= d.doc[d.at] && d.doc[d.at] <= '9' {
		d.at++
	}
	if d.at == len(d.doc) || d.at-digits > 1 && d.doc[digits] == '0' {
		return ""
	}
	if c := d.doc[d.at]; c == '.' || c == 'e' || c == 'E' {
		return ""
	}
	return string(d.doc[from:d.at])
}

// members calls f for each member of an object, when the value comes next.
func (d *fastDecoder) members(f func(key string) bool) bool {
	if !d.take('{') {
		return false
	}
	if d.take('}') {
		return true
	}
	for {
		key, ok := d.text()
		if !ok || !d.take(':') || !f(key) {
			return false
		}
		if d.take('}') {
			return true
		}
		if !d.take(',') {
			return false
		}
	}
}

// elements calls f for each element of an array, when its value comes next.
func (d *fastDecoder) elements(f func() bool) bool {
	if !d.take('[') {
		return false
	}
	if d.take(']') {
		return true
	}
	for {
		if !f() {
			return false
		}
		if d.take(']') {
			return true
		}
		if !d.take(',') {
			return false
		}
	}
}

// object decodes an object into a struct, and skips members that it has no fields for.
func (d *fastDecoder) object(into reflect.Value, depth int) bool {
	t, next, seen := into.Type(), 0, uint64(0)
	if t.NumField() > 64 {
		return false
	}
	return d.members(func(key string) bool {
		i, ok := fieldFrom(t, key, next)
		if !ok {
			return false
		}
		if i < 0 {
			return d.skip(depth + 1)
		}
		if seen&(1<<i) != 0 {
			return false
		}
		seen |= 1 << i
		next = i + 1
		return d.value(into.Field(i), depth+1)
	})
}

// fieldFrom returns the index of the field for a key. It begins to search at field next,
// as most documents are in the order of the struct. i is -1 for an unknown key. ok is
// false if the key only differs by case from that of a field, or if an embedded struct
// may have it.
func fieldFrom(t reflect.Type, key string, next int) (i int, ok bool) {
	n, similar := t.NumField(), false
	for k := range n {
		i := (next + k) % n
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == key {
			return i, true
		}
		similar = similar || f.Anonymous || strings.EqualFold(name, key)
	}
	return -1, !similar
}

func (d *fastDecoder) table(into reflect.Value, depth int) bool {
	t := into.Type()
	if t.Key().Kind() != reflect.String {
		return false
	}
	into.Set(reflect.MakeMap(t))
	return d.members(func(key string) bool {
		k, v := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		k.SetString(key)
		if into.MapIndex(k).IsValid() || !d.value(v, depth+1) {
			return false
		}
		into.SetMapIndex(k, v)
		return true
	})
}

func (d *fastDecoder) array(into reflect.Value, depth int) bool {
	if into.Type().Elem().Kind() == reflect.Uint8 {
		return false // base64
	}
	into.Set(reflect.MakeSlice(into.Type(), 0, 4))
	return d.elements(func() bool {
		n := into.Len()
		into.Grow(1)
		into.SetLen(n + 1)
		return d.value(into.Index(n), depth+1)
	})
}

// skip passes a value that there is no field for.
func (d *fastDecoder) skip(depth int) bool {
	if depth > maxDepth {
		return false
	}
	switch d.peek() {
	case '{':
		return d.members(func(string) bool { return d.skip(depth + 1) })
	case '[':
		return d.elements(func() bool { return d.skip(depth + 1) })
	case '"':
		_, ok := d.text()
		return ok
	case 't':
		return d.word("true")
	case 'f':
		return d.word("false")
	case 'n':
		return d.word("null")
	}
	s := d.integer()
	return s != "" && s != "-"
}

// text decodes a string.
func (d *fastDecoder) text() (string, bool) {
	if !d.take('"') {
		return "", false
	}
	from := d.at
	for ; d.at < len(d.doc); d.at++ {
		switch c := d.doc[d.at]; {
		case c == '"':
			s := d.doc[from:d.at]
			d.at++
			return string(s), utf8.Valid(s)
		case c == '\\':
			return d.escaped(from)
		case c < ' ':
			return "", false
		}
	}
	return "", false
}

// escaped decodes a string with escapes. The string begins at from, and its first escape
// comes next.
func (d *fastDecoder) escaped(from int) (string, bool) {
	var s strings.Builder
	s.Grow(d.textLength() + d.at - from) // at once: a string may have megabytes
	s.Write(d.doc[from:d.at])
	for d.at < len(d.doc) {
		c := d.doc[d.at]
		d.at++
		switch {
		case c == '"':
			return s.String(), utf8.ValidString(s.String())
		case c < ' ':
			return "", false
		case c != '\\':
			s.WriteByte(c)
		default:
			r, ok := d.escape()
			if !ok {
				return "", false
			}
			s.WriteRune(r)
		}
	}
	return "", false
}

// textLength returns the number of bytes until the end of a string, with escapes counted
// as one character each.
func (d *fastDecoder) textLength() (n int) {
	for at := d.at; at < len(d.doc) && d.doc[at] != '"'; at++ {
		if d.doc[at] == '\\' {
			at++
		}
		n++
	}
	return n
}

// escape decodes what follows a backslash. It leaves surrogate pairs to encoding/json.
func (d *fastDecoder) escape() (rune, bool) {
	if d.at == len(d.doc) {
		return 0, false
	}
	c := d.doc[d.at]
	d.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		if len(d.doc)-d.at < 4 {
			return 0, false
		}
		n, err := strconv.ParseUint(string(d.doc[d.at:d.at+4]), 16, 16)
		d.at += 4
		return rune(n), err == nil && n <= math.MaxUint16 && utf8.ValidRune(rune(n))
	}
	return 0, false
}
