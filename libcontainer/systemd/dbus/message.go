// SPDX-License-Identifier: Apache-2.0

package dbus

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Type is the type of a message.
type Type byte

// The types of messages.
const (
	Call Type = 1 + iota
	Reply
	Failure
	Signal
)

// Message is a message without its body's values. The reply to a call is a message of
// the type Reply or Failure.
type Message struct {
	Type                    Type
	NoReply                 bool // the sender of a call wants no reply
	Serial, ReplySerial     uint32
	Path, Interface, Member string
	Error                   string // the name of an error
	Destination, Sender     string

	signature string
	body      decoder
}

// The fields of a message's header.
const (
	fieldPath = 1 + iota
	fieldInterface
	fieldMember
	fieldError
	fieldReplySerial
	fieldDestination
	fieldSender
	fieldSignature
	fieldFiles
)

const noReplyFlag = 1

// Encode returns the message with this body, which may be nil.
func (m *Message) Encode(body *Body) ([]byte, error) {
	if body == nil {
		body = new(Body)
	}
	flags := byte(0)
	if m.NoReply {
		flags = noReplyFlag
	}
	e := encoder{b: []byte{'l', byte(m.Type), flags, 1}, err: body.e.err}
	e.uint32(uint32(len(body.e.b)))
	e.uint32(m.Serial)
	e.array("(yv)", func() { m.fields(&e, body.signature) })
	e.align(8)
	if e.b = append(e.b, body.e.b...); len(e.b) > longestMessage {
		e.fail("a message has %d bytes, more than %d", len(e.b), longestMessage)
	}
	return e.b, e.err
}

func (m *Message) fields(e *encoder, signature string) {
	field := func(code byte, of, text string) {
		if text != "" {
			e.align(8)
			e.b = append(e.b, code)
			e.variant(Variant{of, text})
		}
	}
	field(fieldPath, "o", m.Path)
	field(fieldInterface, "s", m.Interface)
	field(fieldMember, "s", m.Member)
	field(fieldError, "s", m.Error)
	field(fieldDestination, "s", m.Destination)
	field(fieldSender, "s", m.Sender)
	field(fieldSignature, "g", signature)
	if m.ReplySerial != 0 {
		e.align(8)
		e.b = append(e.b, fieldReplySerial)
		e.variant(Variant{"u", m.ReplySerial})
	}
}

// What is kept of a message. Those for a client of systemd have some hundred bytes.
const (
	longestHeader = 64 << 10
	longestBody   = 1 << 20
)

// Read reads a message. It returns an error if the peer does not keep to D-Bus, after
// which nothing more can be read. A body that is too long to be kept is skipped.
func Read(r *bufio.Reader) (*Message, error) {
	var head [16]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	d := decoder{b: head[:], at: 4}
	switch head[0] {
	case 'l':
		d.order = binary.LittleEndian
	case 'B':
		d.order = binary.BigEndian
	default:
		return nil, fmt.Errorf("D-Bus: a message begins with the byte %#x", head[0])
	}
	m := &Message{Type: Type(head[1]), NoReply: head[2]&noReplyFlag != 0}
	length := d.uint32()
	m.Serial = d.uint32()
	fields := d.uint32()
	if fields > longestHeader || length > longestMessage {
		return nil, fmt.Errorf("D-Bus: a message has a header of %d and a body of %d bytes", fields, length)
	}
	padded := (fields + 7) &^ 7 // the body begins at a multiple of 8
	d = decoder{b: make([]byte, padded), order: d.order}
	if _, err := io.ReadFull(r, d.b); err != nil {
		return nil, ended(err)
	}
	d.b = d.b[:fields]
	for d.err == nil && d.at < len(d.b) {
		m.field(&d)
	}
	if d.err == nil {
		d.err = m.check()
	}
	if d.err != nil {
		return nil, d.err
	}
	return m, m.readBody(r, int(length), d.order)
}

// ended is the error of a message that ends within.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (m *Message) readBody(r *bufio.Reader, length int, order binary.ByteOrder) error {
	m.body.order = order
	if length > longestBody {
		m.signature = ""
		_, err := r.Discard(length)
		return ended(err)
	}
	m.body.b = make([]byte, length)
	_, err := io.ReadFull(r, m.body.b)
	return ended(err)
}

// field reads a field of the header. Unknown ones are skipped, as is specified.
func (m *Message) field(d *decoder) {
	d.align(8)
	code := d.byte()
	of := d.variantType()
	if d.err != nil {
		return
	}
	types := [...]string{
		fieldPath: "o", fieldInterface: "s", fieldMember: "s", fieldError: "s", fieldReplySerial: "u",
		fieldDestination: "s", fieldSender: "s", fieldSignature: "g", fieldFiles: "u",
	}
	if int(code) < len(types) && of != types[code] {
		d.fail(fmt.Errorf("D-Bus: field %d of a message has the type %q", code, of))
		return
	}
	switch code {
	case fieldPath:
		m.Path = d.text()
	case fieldInterface:
		m.Interface = d.text()
	case fieldMember:
		m.Member = d.text()
	case fieldError:
		m.Error = d.text()
	case fieldReplySerial:
		m.ReplySerial = d.uint32()
	case fieldDestination:
		m.Destination = d.text()
	case fieldSender:
		m.Sender = d.text()
	case fieldSignature:
		m.signature = d.signature()
	default:
		d.skip(of, 0)
	}
}

// check checks that the message has the fields that its type requires.
func (m *Message) check() error {
	ok := true
	switch m.Type {
	case 0:
		ok = false
	case Call:
		ok = m.Path != "" && m.Member != ""
	case Reply:
		ok = m.ReplySerial != 0
	case Failure:
		ok = m.ReplySerial != 0 && m.Error != ""
	case Signal:
		ok = m.Path != "" && m.Member != "" && m.Interface != ""
	}
	if !ok {
		return fmt.Errorf("D-Bus: a message of type %d lacks a required field", m.Type)
	}
	return nil
}

// Signature returns the types of the body's values.
func (m *Message) Signature() string { return m.signature }

// Strings returns the body's values, which must be of these types, of which strings and
// object paths are returned and others are skipped. There may be more values.
func (m *Message) Strings(signature string) ([]string, error) {
	if len(m.signature) < len(signature) || m.signature[:len(signature)] != signature {
		return nil, fmt.Errorf("D-Bus: the values have the types %q instead of %q", m.signature, signature)
	}
	d := m.body
	var all []string
	for signature != "" && d.err == nil {
		var first string
		first, signature, _ = one(signature)
		if first == "s" || first == "o" {
			all = append(all, d.text())
		} else {
			d.skip(first, 0)
		}
	}
	return all, d.err
}

// StringVariant returns the body's only value, a variant with a string.
func (m *Message) StringVariant() (string, error) {
	if m.signature != "v" {
		return "", fmt.Errorf("D-Bus: the value has the type %q instead of \"v\"", m.signature)
	}
	d := m.body
	if of := d.variantType(); d.err == nil && of != "s" {
		return "", fmt.Errorf("D-Bus: the variant has the type %q instead of \"s\"", of)
	}
	return d.text(), d.err
}
