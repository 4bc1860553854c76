// SPDX-License-Identifier: Apache-2.0

package dbus

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/godbus/dbus/v5"
)

// texts are values in text format with their types, and the value as Go prints it.
var texts = []struct{ text, signature, value string }{
	{"true", "b", "true"},
	{" boolean false", "b", "false"},
	{"7", "i", "7"},
	{"-7", "i", "-7"},
	{"+7", "i", "7"},
	{"010", "i", "8"},
	{"0x1F", "i", "31"},
	{"1.5", "d", "1.5"},
	{"2e3", "d", "2000"},
	{"double 3", "d", "3"},
	{"byte 0xff", "y", "255"},
	{"int16 -3", "n", "-3"},
	{"uint16 3", "q", "3"},
	{"int32 3", "i", "3"},
	{"uint32 3", "u", "3"},
	{"int64 -3", "x", "-3"},
	{"uint64 18446744073709551615", "t", "18446744073709551615"},
	{"@t 3", "t", "3"},
	{"'a b'", "s", "a b"},
	{`"it's"`, "s", "it's"},
	{`'\'\u00e4\U0001f600\n\\'`, "s", "'ä😀\n\\"},
	{"string 'x'", "s", "x"},
	{"objectpath '/a/b'", "o", "/a/b"},
	{"signature 'a{sv}'", "g", "a{sv}"},
	{`b'a\x41\0102\n'`, "ay", "[97 65 66 10 0]"},
	{"['a', 'b']", "as", "[a b]"},
	{"@as []", "as", "[]"},
	{"@a(ss) []", "a(ss)", "[]"},
	{"[1, uint32 2]", "au", "[1 2]"},
	{"[1, 2.5]", "ad", "[1 2.5]"},
	{"@ay [1, 2]", "ay", "[1 2]"},
	{"[[], [1]]", "aai", "[[] [1]]"},
	{"<'x'>", "v", "{s x}"},
	{"[<1>, <'a'>]", "av", "[{i 1} {s a}]"},
	{"{'a': 1, 'b': 2}", "a{si}", "[{a 1} {b 2}]"},
	{"{'a': 1, 'a': 2}", "a{si}", "[{a 2}]"},
	{"@a{sv} {'a': <[uint64 1]>}", "a{sv}", "[{a {at [1]}}]"},
	{"@a{sv} {}", "a{sv}", "[]"},
	{"{1: 'a', uint32 2: 'b'}", "a{us}", "[{1 a} {2 b}]"},
}

func TestParse(t *testing.T) {
	for _, c := range texts {
		v, err := Parse(c.text)
		if got := fmt.Sprint(v.Value()); err != nil || v.Signature() != c.signature || got != c.value {
			t.Errorf("%s: %s %s, %v; expected %s %s", c.text, v.Signature(), got, err, c.signature, c.value)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", "mixed", "[", "{", "<", "'", `'\`, "[1", "[1,", "{1", "{1:", "{1: 2", "<1", "]", "uint32", "uint32 uint32 7", "@u @u 7", "@ 7", "@z 7", "@uu 7", "@() 7",
		"7x", "08", "-", "0x", "256x", "byte 256", "byte -1", "uint64 -1", "int16 32768", "3000000000", "uint32 1.5", "uint32 'a'", "string 7", "boolean 1", "@ay 'a'", "@s []", "@as {}", "@a{ss} []",
		"[]", "{}", "[[]]", "<[]>", "[1, 'a']", "[uint32 1, uint64 2]", "{'a': 1, 'b': 'c'}", "{<1>: 2}", "{[1]: 2}", "@a(ss) [1]", "('a', 'b')", "just 7", "nothing", `'\u12'`, `'\u12g4'`, `b'\x1'`, `b'\09'`, "'\xff'", "٣",
		strings.Repeat("[", 1<<20), strings.Repeat("<", 40) + "1" + strings.Repeat(">", 40),
	} {
		if v, err := Parse(text); err == nil {
			t.Errorf("%.40q: %s %v", text, v.Signature(), v.Value())
		}
	}
}

// wire returns a variant as the library reads it.
func wire(v Variant) (any, error) {
	b, err := (&Message{Type: Call, Serial: 1, Path: "/", Member: "A"}).Encode(new(Body).Properties([]Property{{"name", v}}))
	if err != nil {
		return nil, err
	}
	m, err := library(b)
	if err != nil {
		return nil, err
	}
	return m.Body[0].([][]any)[0][1], nil
}

// agree compares with the library, as far as it is right.
func agree(t *testing.T, text string) {
	t.Helper()
	if strings.ContainsFunc(text, func(r rune) bool { return r > 127 && unicode.IsNumber(r) }) {
		return // it does not come to an end
	}
	want, err := libraryParse(text)
	v, ours := Parse(text)
	if err != nil || ours != nil {
		if err == nil && !misread(text) {
			t.Errorf("%q: %v, the library: %v", text, ours, want)
		}
		return
	}
	if strings.Contains(want.Signature().String(), "aav") && strings.Contains(v.Signature(), "(") {
		return // it takes the type of an empty array of structs for aav
	}
	got, err := wire(v)
	theirs, theirErr := throughLibrary(want)
	if err != nil || theirErr != nil {
		if theirErr == nil && !strings.Contains(err.Error(), "is not a signature") {
			t.Errorf("%q: %v, the library sends %v", text, err, theirs)
		}
		return
	}
	if !reflect.DeepEqual(got, theirs) && !misread(text) && !strings.Contains(fmt.Sprint(got), "NaN") {
		t.Errorf("%q: %v, the library: %v", text, got, theirs)
	}
}

// misread reports whether the library reads a text wrongly: 018 is 1 for it, "@ 7" is 7,
// of a type that is none it takes what it can, and a struct is an array for it.
func misread(text string) bool {
	for word := range strings.FieldsSeq(text) {
		if _, signature, ok := strings.Cut(word, "@"); ok && (complete(signature) != nil || signature[0] == '(') {
			return true
		}
	}
	for digits := range strings.FieldsFuncSeq(text, func(r rune) bool { return r < '0' || r > '9' }) {
		if digits[0] == '0' && strings.ContainsAny(digits, "89") {
			return true
		}
	}
	return strings.Count(text, "[")+strings.Count(text, "{")+strings.Count(text, "<") > deepest
}

func libraryParse(text string) (v dbus.Variant, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return dbus.ParseVariant(text, dbus.Signature{})
}

// throughLibrary has the library write and read a value.
func throughLibrary(v dbus.Variant) (any, error) {
	m := &dbus.Message{Type: dbus.TypeMethodReply, Body: []any{v}, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(uint32(1)), dbus.FieldSignature: dbus.MakeVariant(dbus.ParseSignatureMust("v")),
	}}
	var out strings.Builder
	if err := encodeWith(m, &out); err != nil {
		return nil, err
	}
	back, err := library([]byte(out.String()))
	if err != nil {
		return nil, err
	}
	return back.Body[0], nil
}

func FuzzParse(f *testing.F) {
	for _, c := range texts {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) { agree(t, text) })
}
