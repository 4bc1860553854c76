// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// A record ends with a line that has a checksum of everything before it. It detects
// damage that leaves all lines readable: with one letter changed, the record might name
// the cgroup of another container, which delete would then end.
//
// The line comes after the last one, since older versions of skiff ignore it there.
// When such a version writes the record again, it puts the line before the last one:
// there the checksum has no meaning, and is ignored.
const sumKey = "sum"

var sumBegins = []byte("\n" + last + "\n" + sumKey + ` "`)

// seal adds the checksum to a record.
func seal(b []byte) []byte {
	sum := checksum(b)
	return append(strconv.AppendQuote(append(b, sumKey+" "...), sum), '\n')
}

// checksum is FNV-1a. It has 16 hexadecimal digits.
func checksum(b []byte) string {
	sum := uint64(14695981039346656037)
	for _, c := range b {
		sum = (sum ^ uint64(c)) * 1099511628211
	}
	var text [16]byte
	for i := range text {
		text[i] = "0123456789abcdef"[sum>>(60-4*i)&0xf]
	}
	return string(text[:])
}

// unseal compares the checksum of a record with that of its text, and reports
// whether it has one: older versions of skiff wrote none.
func unseal(b []byte) (found bool, err error) {
	i := bytes.LastIndex(b, sumBegins)
	if i < 0 {
		return false, nil
	}
	body := b[:i+len("\n"+last+"\n")]
	got, _, ended := bytes.Cut(b[i+len(sumBegins):], []byte("\"\n"))
	if !ended {
		return true, errors.New("it ends within its checksum")
	}
	if want := checksum(body); string(got) != want {
		return true, fmt.Errorf("its checksum is %.40q, but that of its text is %q", got, want)
	}
	return true, nil
}
