// SPDX-License-Identifier: Apache-2.0

package dbus

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var errTruncated = errors.New("D-Bus: a value ends too early")

// decoder reads values in the wire format. After an error it returns zero values.
type decoder struct {
	b     []byte // begins at a multiple of 8 within its message
	at    int
	order binary.ByteOrder
	err   error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// next returns the next n bytes, or nil if there are fewer.
func (d *decoder) next(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n < 0 || n > len(d.b)-d.at {
		d.fail(errTruncated)
		return nil
	}
	d.at += n
	return d.b[d.at-n : d.at]
}

// align skips the padding before a value that begins at a multiple of n.
func (d *decoder) align(n int) { d.next((n - d.at%n) % n) }

func (d *decoder) byte() byte {
	if b := d.next(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	d.align(4)
	if b := d.next(4); b != nil {
		return d.order.Uint32(b)
	}
	return 0
}

// text reads a string or an object path.
func (d *decoder) text() string { return d.terminated(int(d.uint32())) }

// signature reads a signature of any number of types.
func (d *decoder) signature() string {
	s := d.terminated(int(d.byte()))
	if d.err == nil && !types(s) {
		d.fail(fmt.Errorf("D-Bus: %q is not a signature", s))
	}
	return s
}

func (d *decoder) terminated(n int) string {
	b := d.next(n)
	if d.byte() != 0 {
		d.fail(errors.New("D-Bus: a string does not end with a null byte"))
	}
	if d.err != nil {
		return ""
	}
	return string(b)
}

// variantType reads the type of a variant, which its value follows.
func (d *decoder) variantType() string {
	s := d.signature()
	if d.err == nil {
		d.fail(complete(s))
	}
	return s
}

// skip skips a value of one complete type, within depth others.
func (d *decoder) skip(signature string, depth int) {
	if depth > deepestValue {
		d.fail(fmt.Errorf("D-Bus: a value is nested more than %d levels deep", deepestValue))
	}
	if d.err != nil {
		return
	}
	d.align(alignment(signature))
	switch signature[0] {
	case 's', 'o':
		d.text()
	case 'g':
		d.signature()
	case 'v':
		if of := d.variantType(); d.err == nil {
			d.skip(of, depth+1)
		}
	case 'a':
		d.skipArray(signature[1:], depth+1)
	case '(', '{':
		for rest := signature[1 : len(signature)-1]; rest != "" && d.err == nil; {
			var first string
			first, rest, _ = one(rest)
			d.skip(first, depth+1)
		}
	default:
		d.next(fixed(signature))
	}
}

func (d *decoder) skipArray(element string, depth int) {
	n := d.uint32()
	if n > longestArray {
		d.fail(fmt.Errorf("D-Bus: an array has %d bytes, more than %d", n, longestArray))
	}
	d.align(alignment(element))
	begin := d.at
	if size := fixed(element); size > 0 {
		if d.next(int(n)); int(n)%size != 0 {
			d.fail(errTruncated)
		}
		return
	}
	for d.err == nil && d.at < begin+int(n) {
		d.skip(element, depth)
	}
	if d.at != begin+int(n) {
		d.fail(errors.New("D-Bus: an element of an array exceeds the array"))
	}
}
