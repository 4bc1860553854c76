// SPDX-License-Identifier: Apache-2.0

package dbus

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// decoded has the library read a message.
func decoded(t *testing.T, b []byte) *dbus.Message {
	t.Helper()
	m, err := dbus.DecodeMessage(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("the library does not read %q: %v", b, err)
	}
	return m
}

// sent has the library write a message.
func sent(t *testing.T, order binary.ByteOrder, kind dbus.Type, headers map[dbus.HeaderField]any, body ...any) []byte {
	t.Helper()
	m := &dbus.Message{Type: kind, Headers: make(map[dbus.HeaderField]dbus.Variant), Body: body}
	for field, v := range headers {
		m.Headers[field] = dbus.MakeVariant(v)
	}
	if len(body) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
	}
	var out bytes.Buffer
	if err := m.EncodeTo(&out, order); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func read(b []byte) (*Message, error) { return Read(bufio.NewReader(bytes.NewReader(b))) }

var orders = []binary.ByteOrder{binary.LittleEndian, binary.BigEndian}

// The library reads what is written here.
func TestEncode(t *testing.T) {
	properties := []Property{
		{"Description", String("ä")}, {"Delegate", Bool(true)}, {"CPUWeight", Uint64(math.MaxUint64)}, {"AllowedCPUs", Bytes([]byte{7, 2, 1})},
		{"PIDs", Uint32s(7, 8)}, {"DeviceAllow", Pairs([][2]string{{"/dev/null", "rw"}, {"char-pts", "rwm"}})}, {"None", Pairs(nil)},
	}
	call := &Message{Type: Call, Serial: 7, Path: "/a/b", Interface: "a.b", Member: "C", Destination: "d.e"}
	b, err := call.Encode(new(Body).String("x").Bool(false).Properties(properties).NoUnits().Uint32s(1).Properties(nil))
	if err != nil {
		t.Fatal(err)
	}
	m := decoded(t, b)
	variant := func(v any) dbus.Variant { return dbus.MakeVariant(v) }
	want := []any{"x", false, [][]any{
		{"Description", variant("ä")}, {"Delegate", variant(true)}, {"CPUWeight", variant(uint64(math.MaxUint64))}, {"AllowedCPUs", variant([]byte{7, 2, 1})},
		{"PIDs", variant([]uint32{7, 8})},
		{"DeviceAllow", dbus.MakeVariantWithSignature([][]any{{"/dev/null", "rw"}, {"char-pts", "rwm"}}, dbus.ParseSignatureMust("a(ss)"))},
		{"None", dbus.MakeVariantWithSignature([][]any{}, dbus.ParseSignatureMust("a(ss)"))},
	}, [][]any{}, []uint32{1}, [][]any{}}
	if !reflect.DeepEqual(m.Body, want) {
		t.Errorf("the body is %#v, expected %#v", m.Body, want)
	}
	if m.Serial() != 7 || m.Type != dbus.TypeMethodCall || m.Headers[dbus.FieldSignature].Value() != dbus.ParseSignatureMust("sba(sv)a(sa(sv))aua(sv)") {
		t.Errorf("read %v", m)
	}
	for field, want := range map[dbus.HeaderField]any{
		dbus.FieldPath: dbus.ObjectPath("/a/b"), dbus.FieldInterface: "a.b", dbus.FieldMember: "C", dbus.FieldDestination: "d.e",
	} {
		if got := m.Headers[field].Value(); got != want {
			t.Errorf("field %d: %v, expected %v", field, got, want)
		}
	}
	failure, err := (&Message{Type: Failure, NoReply: true, ReplySerial: 9, Error: "a.b.C"}).Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	if m := decoded(t, failure); m.Flags != dbus.FlagNoReplyExpected || m.Headers[dbus.FieldReplySerial].Value() != uint32(9) || m.Headers[dbus.FieldErrorName].Value() != "a.b.C" {
		t.Errorf("read %v", m)
	}
}

// What D-Bus does not allow is not sent: a bus would close the connection.
func TestEncodeRefuses(t *testing.T) {
	deep := Variant{"v", String("x")}
	for range 70 {
		deep = Variant{"v", deep}
	}
	for want, body := range map[string]*Body{
		"UTF-8":              new(Body).String("a\xff"),
		"null bytes":         new(Body).String("a\x00"),
		"an object path":     new(Body).Properties([]Property{{"a", Variant{"o", "a"}}}),
		"signature":          new(Body).Properties([]Property{{"a", Variant{"g", "a"}}}),
		"signature of one":   new(Body).Properties([]Property{{"a", Variant{"ss", "a"}}}),
		"64 levels deep":     new(Body).Properties([]Property{{"a", deep}}),
		"has no type":        new(Body).Properties([]Property{{"a", Variant{"s", 1 + 2i}}}),
		"more than 67108864": new(Body).Properties([]Property{{"a", Bytes(make([]byte, longestArray+1))}}),
	} {
		if b, err := (&Message{Type: Call, Serial: 1, Path: "/", Member: "A"}).Encode(body); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d bytes, %v", want, len(b), err)
		}
	}
}

// What the library writes is read, in both byte orders.
func TestRead(t *testing.T) {
	signal := map[dbus.HeaderField]any{dbus.FieldPath: dbus.ObjectPath("/x"), dbus.FieldInterface: "a.b", dbus.FieldMember: "JobRemoved", dbus.FieldSender: ":1.7"}
	reply := map[dbus.HeaderField]any{dbus.FieldReplySerial: uint32(0x01020304)}
	for _, order := range orders {
		m, err := read(sent(t, order, dbus.TypeSignal, signal, uint32(7), dbus.ObjectPath("/job/7"), "a.scope", "done"))
		if err != nil {
			t.Fatal(err)
		}
		if m.Type != Signal || m.Path != "/x" || m.Interface != "a.b" || m.Member != "JobRemoved" || m.Sender != ":1.7" || m.Signature() != "uoss" {
			t.Errorf("%v: read %+v", order, m)
		}
		if all, err := m.Strings("uoss"); err != nil || !reflect.DeepEqual(all, []string{"/job/7", "a.scope", "done"}) {
			t.Errorf("%v: %q, %v", order, all, err)
		}
		if all, err := m.Strings("uo"); err != nil || !reflect.DeepEqual(all, []string{"/job/7"}) {
			t.Errorf("%v: the first values: %q, %v", order, all, err)
		}
		for _, types := range []string{"uosss", "s", "uso"} {
			if all, err := m.Strings(types); err == nil {
				t.Errorf("%v: read as %s: %q", order, types, all)
			}
		}
		if m, err = read(sent(t, order, dbus.TypeMethodReply, reply, dbus.MakeVariant("value"))); err != nil || m.ReplySerial != 0x01020304 {
			t.Fatalf("%v: %+v, %v", order, m, err)
		}
		if s, err := m.StringVariant(); err != nil || s != "value" {
			t.Errorf("%v: %q, %v", order, s, err)
		}
		for _, other := range []any{dbus.MakeVariant(uint32(7)), "value"} {
			if m, err = read(sent(t, order, dbus.TypeMethodReply, reply, other)); err != nil {
				t.Fatal(err)
			}
			if s, err := m.StringVariant(); err == nil {
				t.Errorf("%v: %v is the string %q", order, other, s)
			}
		}
	}
}

// Values of all types are skipped to the byte.
func TestSkip(t *testing.T) {
	type inner struct {
		A byte
		B []map[string]dbus.Variant
		C uint64
	}
	reply := map[dbus.HeaderField]any{dbus.FieldReplySerial: uint32(1)}
	for _, v := range []any{
		byte(1), true, int16(-1), uint16(1), int32(-1), uint32(1), int64(-1), uint64(1), 1.5, "text", dbus.ObjectPath("/a"), dbus.ParseSignatureMust("a{sv}"),
		dbus.MakeVariant(dbus.MakeVariant([]string{"a", "bc"})), []uint64{}, []uint64{1, 2}, []byte{1, 2, 3}, [][]byte{{1}, {}, {2, 3}},
		map[string]uint64{"a": 1, "bcd": 2}, map[byte]dbus.Variant{1: dbus.MakeVariant("x")}, []inner{}, []inner{{A: 1, B: []map[string]dbus.Variant{{"k": dbus.MakeVariant(int16(1))}}, C: 2}, {}},
	} {
		for _, order := range orders {
			m, err := read(sent(t, order, dbus.TypeMethodReply, reply, v, "after"))
			if err != nil {
				t.Fatal(err)
			}
			whole := m.Signature()
			first, rest, ok := one(whole)
			if !ok || rest != "s" {
				t.Fatalf("%q is %q and %q", whole, first, rest)
			}
			d := m.body
			d.skip(first, 0)
			if got := d.text(); d.err != nil || got != "after" || d.at != len(d.b) {
				t.Errorf("%v, %s: what follows %v is %q, %v", order, whole, v, got, d.err)
			}
		}
	}
}

// The library and this package agree on what is a signature.
func TestSignatures(t *testing.T) {
	agree := func(s string) {
		t.Helper()
		_, err := dbus.ParseSignature(s)
		if got := types(s); got != (err == nil) {
			t.Errorf("%q: %v, the library: %v", s, got, err)
		}
	}
	const chars = "yasv(){}x"
	var all func(s string, n int)
	all = func(s string, n int) {
		// The library takes "()", and more than one key, for correct.
		if !strings.Contains(s, "()") && !strings.Contains(s, "{}") && !strings.Contains(s, "{a") && !strings.Contains(s, "{v") && !strings.Contains(s, "{(") && !strings.Contains(s, "{{") {
			agree(s)
		}
		for i := 0; n > 0 && i < len(chars); i++ {
			all(s+chars[i:i+1], n-1)
		}
	}
	all("", 6)
	for _, s := range []string{"a{s(sa(sv))}u", strings.Repeat("y", 255), strings.Repeat("y", 256), strings.Repeat("a", 32) + "y", strings.Repeat("a", 33) + "y", strings.Repeat("(", 32) + "y" + strings.Repeat(")", 32)} {
		agree(s)
	}
	for _, s := range []string{"()", "a{}", "a{vs}", "a{ays}", "a", "(", "a{s}", "a{sss}", "z", "a(s", "a{sv", strings.Repeat("(", 33) + "y" + strings.Repeat(")", 33)} {
		if types(s) {
			t.Errorf("%q is a signature", s)
		}
	}
}

// A message that is not D-Bus's is refused, whatever length it claims.
func TestReadRefuses(t *testing.T) {
	good := sent(t, binary.LittleEndian, dbus.TypeMethodReply, map[dbus.HeaderField]any{dbus.FieldReplySerial: uint32(1)}, "text")
	for n := range good {
		if m, err := read(good[:n]); err == nil || n > 0 && errors.Is(err, io.EOF) {
			t.Errorf("%d of %d bytes: %+v, %v", n, len(good), m, err)
		}
	}
	for name, change := range map[string]func(b []byte){
		"byte order":    func(b []byte) { b[0] = 'x' },
		"no type":       func(b []byte) { b[1] = 0 },
		"another type":  func(b []byte) { b[1] = byte(Call) },
		"long header":   func(b []byte) { copy(b[12:], "\xff\xff\xff\xff") },
		"long body":     func(b []byte) { copy(b[4:], "\xff\xff\xff\xff") },
		"short header":  func(b []byte) { b[12] = 4 },
		"type of field": func(b []byte) { b[bytes.Index(b, []byte("\x01u\x00"))+1] = 's' },
		"field 0":       func(b []byte) { b[16] = 0 },
	} {
		b := bytes.Clone(good)
		change(b)
		if m, err := read(b); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
	m, err := read(good)
	if err != nil {
		t.Fatal(err)
	}
	m.body.b[0] = 200 // the length of the text
	if all, err := m.Strings("s"); err == nil {
		t.Errorf("a string longer than the message: %q", all)
	}
}

// A field that is not known is skipped; so is the body of a message that nobody can want.
func TestReadSkips(t *testing.T) {
	e := encoder{b: []byte{'l', byte(Signal), 0, 1, 0, 0, 0, 0, 1, 0, 0, 0}}
	e.array("(yv)", func() {
		e.b = append(e.b, 200)
		e.variant(Variant{"a(ss)", [][2]string{{"a", "b"}}})
		(&Message{Path: "/", Interface: "a.b", Member: "C"}).fields(&e, "")
	})
	e.align(8)
	if m, err := read(e.b); err != nil || m.Member != "C" {
		t.Errorf("%+v, %v", m, err)
	}
	signal := map[dbus.HeaderField]any{dbus.FieldPath: dbus.ObjectPath("/x"), dbus.FieldInterface: "a.b", dbus.FieldMember: "C"}
	long := sent(t, binary.LittleEndian, dbus.TypeSignal, signal, make([]byte, 2<<20))
	r := bufio.NewReader(io.MultiReader(bytes.NewReader(long), bytes.NewReader(e.b)))
	for _, path := range []string{"/x", "/"} {
		if m, err := Read(r); err != nil || m.Path != path || m.Signature() != "" {
			t.Errorf("%s: %+v, %v", path, m, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, order := range orders {
		headers := map[dbus.HeaderField]dbus.Variant{dbus.FieldReplySerial: dbus.MakeVariant(uint32(1)), dbus.FieldSignature: dbus.MakeVariant(dbus.ParseSignatureMust("va{sv}a(ss)"))}
		m := &dbus.Message{Type: dbus.TypeMethodReply, Headers: headers, Body: []any{dbus.MakeVariant("x"), map[string]dbus.Variant{"a": dbus.MakeVariant("b")}, []struct{ A, B string }{{"c", "d"}}}}
		var out bytes.Buffer
		if err := m.EncodeTo(&out, order); err != nil {
			f.Fatal(err)
		}
		f.Add(out.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := read(b)
		if err != nil {
			return
		}
		_, _ = m.StringVariant()
		d, all := m.body, 0
		for rest := m.Signature(); rest != "" && d.err == nil; all++ {
			var first string
			first, rest, _ = one(rest)
			d.skip(first, 0)
		}
		if d.at > len(d.b) {
			t.Errorf("read %d of %d bytes", d.at, len(d.b))
		}
		if d.err != nil {
			return // the library allocates what a wrong length says
		}
		theirs, err := library(b)
		if err != nil {
			return
		}
		if len(theirs.Body) != all {
			t.Errorf("%d values, the library: %d", all, len(theirs.Body))
		}
		if len(theirs.Body) > 0 {
			if want, ok := theirs.Body[0].(string); ok {
				if got, err := m.Strings("s"); err != nil || got[0] != want {
					t.Errorf("%q, %v, the library: %q", got, err, want)
				}
			}
		}
	})
}

// library reads a message with the library, which panics at some.
func library(b []byte) (m *dbus.Message, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	if len(b) > 4096 {
		return nil, io.ErrShortBuffer
	}
	return dbus.DecodeMessage(bytes.NewReader(b))
}

// encodeWith writes a message with the library, which panics at some.
func encodeWith(m *dbus.Message, out io.Writer) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return m.EncodeTo(out, binary.LittleEndian)
}
