// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// Traced is what a [Trace] message says of an operation. Only its duration is in each
// version's messages: a container that another version created sends the others not at
// all, or may send more.
type Traced struct {
	Took    time.Duration
	Begun   time.Time  // zero: not sent
	Refused int        // number of the last system call that was refused, though the operation has succeeded; -1: none was
	Errno   unix.Errno // of that
	Output  string     // the end of a hook's output
}

// tracedSize is the size in bytes of what comes before the output in the text: when the
// operation was begun (nanoseconds of CLOCK_REALTIME, int64), the number of the system
// call, and its errno (int32 each).
const tracedSize = 16

// Traced decodes a [Trace] message.
func (m Message) Traced() Traced {
	t := Traced{Took: time.Duration(m.Value), Refused: -1}
	if len(m.Text) < tracedSize {
		return t
	}
	le := binary.NativeEndian
	head := []byte(m.Text[:tracedSize])
	t.Begun = time.Unix(0, int64(le.Uint64(head)))
	if errno := unix.Errno(le.Uint32(head[12:])); errno != 0 {
		t.Refused, t.Errno = int(int32(le.Uint32(head[8:]))), errno
	}
	t.Output = m.Text[tracedSize:]
	return t
}
