package store

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"strconv"
)

// A record ends with a line that has a checksum of all before it. It is for what
// reads well and is wrong all the same: with one letter changed the record may
// name the cgroup of another container, which delete would then end.
//
// The line stands behind the last one, where older versions of skiff pass over
// it; in front of it is the one of a record that such a version has changed,
// which is true no more.
const sumKey = "sum"

var sumBegins = []byte("\n" + last + "\n" + sumKey + ` "`)

// seal adds the checksum to a record.
func seal(b []byte) []byte {
	sum := checksum(b)
	return append(strconv.AppendQuote(append(b, sumKey+" "...), sum), '\n')
}

func checksum(b []byte) string {
	h := fnv.New64a()
	_, _ = h.Write(b)
	return fmt.Sprintf("%016x", h.Sum64())
}

// unseal compares the checksum of a record. It reports whether there is one: an
// older version of skiff writes none.
func unseal(b []byte) (found bool, err error) {
	i := bytes.LastIndex(b, sumBegins)
	if i < 0 {
		return false, nil
	}
	body := b[:i+len("\n"+last+"\n")]
	got, _, _ := bytes.Cut(b[i+len(sumBegins):], []byte(`"`))
	if want := checksum(body); string(got) != want {
		return true, fmt.Errorf("its checksum is %.40q, but that of its text is %q", got, want)
	}
	return true, nil
}
