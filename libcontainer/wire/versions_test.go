// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// One version of skiff may start a container that another one created, and then
// reads what its first process sends to start. So these numbers, and their offsets,
// never change.
func TestStartOfOtherVersion(t *testing.T) {
	for _, c := range []struct {
		what         string
		number, want int
	}{
		{"Failed", int(Failed), 8}, {"Started", int(Started), 9}, {"Trace", int(Trace), 13},
		{"NoDetail", int(NoDetail), 0}, {"HookExit", int(HookExit), 8}, {"HookSignal", int(HookSignal), 9}, {"HookTimeout", int(HookTimeout), 10},
		{"Refused", int(Refused), 20},
	} {
		if c.number != c.want {
			t.Errorf("%s is %d, and was %d", c.what, c.number, c.want)
		}
	}
	var b []byte
	for _, n := range []uint32{8, 65, uint32(unix.EPERM), 8} {
		b = binary.NativeEndian.AppendUint32(b, n)
	}
	b = append(binary.NativeEndian.AppendUint64(b, 3), "text"...)
	want := Message{Type: Failed, Index: 65, Errno: unix.EPERM, Detail: HookExit, Value: 3, Text: "text"}
	if m, err := decode(b, nil); err != nil || m != want {
		t.Errorf("%+v, %v; expected %+v", m, err, want)
	}
}

// A trace of a version that sends only the duration is understood, and so is one that
// has more. The offsets of what follows the duration never change either.
func TestTracedOfOtherVersion(t *testing.T) {
	head := binary.NativeEndian.AppendUint64(make([]byte, 16), 7000) // the duration
	binary.NativeEndian.PutUint32(head, uint32(Trace))
	binary.NativeEndian.PutUint32(head[4:], 65)
	full := binary.NativeEndian.AppendUint64(nil, 1700000000000000005)
	full = binary.NativeEndian.AppendUint32(full, 442)
	full = binary.NativeEndian.AppendUint32(full, uint32(unix.EPERM))
	none := append(append([]byte{}, full[:8]...), make([]byte, 8)...)
	for _, c := range []struct {
		text string
		want Traced
	}{
		{"", Traced{Took: 7000, Refused: -1}},
		{string(full[:15]), Traced{Took: 7000, Refused: -1}},
		{string(none), Traced{Took: 7000, Refused: -1, Begun: time.Unix(1700000000, 5)}},
		{string(full) + "said", Traced{Took: 7000, Refused: 442, Errno: unix.EPERM, Begun: time.Unix(1700000000, 5), Output: "said"}},
	} {
		m, err := decode(append(append([]byte{}, head...), c.text...), nil)
		if have := m.Traced(); err != nil || m.Index != 65 || have != c.want {
			t.Errorf("%q: %+v, %v; expected %+v", c.text, have, err, c.want)
		}
	}
}
