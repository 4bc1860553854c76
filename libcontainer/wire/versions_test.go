package wire

import (
	"encoding/binary"
	"testing"

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
