// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sent is a message in the child's form: struct message_ of program.h, without the
// text.
type sent struct {
	Type, Index, Errno, Detail uint32
	Value                      int64
}

func (s sent) bytes(text string) []byte {
	b, err := binary.Append(nil, binary.NativeEndian, s)
	if err != nil {
		panic(err)
	}
	return append(b, text...)
}

// pair returns the runtime's end of a handshake, and the child's.
func pair(t *testing.T) (*Conn, int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := NewConn(fds[0])
	// A message that does not come is a failure, not a test that hangs.
	if err := unix.SetsockoptTimeval(c.FD(), unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, fds[1]
}

func send(t *testing.T, child int, b []byte, fds ...int) {
	t.Helper()
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	if err := unix.Sendmsg(child, b, oob, nil, 0); err != nil {
		t.Fatal(err)
	}
}

// The runtime reads every field that the child fills in.
func TestReceive(t *testing.T) {
	c, child := pair(t)
	defer unix.Close(child)
	long := strings.Repeat("x", 488)
	for name, tt := range map[string]struct {
		bytes []byte
		want  Message
	}{
		"a question":     {sent{Type: 5}.bytes(""), Message{Type: Mounted}},
		"a pid":          {sent{Type: 3, Value: 1<<40 + 7}.bytes(""), Message{Type: Forked, Value: 1<<40 + 7}},
		"negative":       {sent{Type: 8, Value: -1}.bytes(""), Message{Type: Failed, Value: -1}},
		"all fields":     {sent{8, 1, 2, 3, 4}.bytes("why"), Message{Type: Failed, Index: 1, Errno: unix.ENOENT, Detail: OnRoot, Value: 4, Text: "why"}},
		"all of a text":  {sent{Type: 8}.bytes(long), Message{Type: Failed, Text: long}},
		"a text cut":     {sent{Type: 8}.bytes(long + "tail"), Message{Type: Failed, Text: long}},
		"an unknown one": {sent{Type: 99}.bytes(""), Message{Type: 99}},
	} {
		send(t, child, tt.bytes)
		if got, err := c.Receive(); err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v, expected %+v", name, got, err, tt.want)
		}
	}
}

func TestShort(t *testing.T) {
	c, child := pair(t)
	defer unix.Close(child)
	whole := sent{Type: 8, Value: -1}.bytes("")
	for n := 1; n < len(whole); n++ {
		send(t, child, whole[:n])
		if m, err := c.Receive(); err == nil || !strings.HasPrefix(err.Error(), "handshake: message of ") {
			t.Errorf("%d of %d bytes: %+v, %v", n, len(whole), m, err)
		}
	}
	send(t, child, whole)
	if m, err := c.Receive(); err != nil || m.Type != Failed {
		t.Errorf("all %d bytes: %+v, %v", len(whole), m, err)
	}
}

// pipe makes a pipe; the caller closes the writing end.
func pipe(t *testing.T) (*os.File, int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	r := os.NewFile(uintptr(p[0]), "pipe")
	t.Cleanup(func() { r.Close() })
	return r, p[1]
}

// closed reports whether all copies of a pipe's writing end are closed.
func closed(r *os.File) bool {
	_ = r.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	_, err := r.Read(make([]byte, 1))
	return err != nil && !os.IsTimeout(err)
}

func TestDescriptor(t *testing.T) {
	c, child := pair(t)
	defer unix.Close(child)
	r, w := pipe(t)
	send(t, child, sent{Type: 4}.bytes(""), w)
	unix.Close(w)
	m, err := c.Receive()
	if err != nil || m.Type != Console || m.File == nil {
		t.Fatalf("%+v, %v", m, err)
	}
	if m.File.Name() != "console" {
		t.Errorf("its name is %s", m.File.Name())
	}
	if flags, err := unix.FcntlInt(m.File.Fd(), unix.F_GETFD, 0); err != nil || flags != unix.FD_CLOEXEC {
		t.Errorf("a program that is executed would inherit it: %#x, %v", flags, err)
	}
	if _, err := m.File.WriteString("x"); err != nil {
		t.Error(err)
	}
	if b := make([]byte, 2); must(r.Read(b)) != 1 || b[0] != 'x' {
		t.Errorf("another file came: %q", b)
	}
	if m.File.Close(); !closed(r) {
		t.Error("a copy of the descriptor is left")
	}
}

func must(n int, err error) int {
	if err != nil {
		return -1
	}
	return n
}

// No descriptor of a message that is refused stays open.
func TestWrongDescriptors(t *testing.T) {
	for name, tt := range map[string]struct {
		bytes []byte
		n     int
		want  string
	}{
		"two":             {sent{Type: 4}.bytes(""), 2, "handshake: expected 1 descriptor, got 2"},
		"more than fit":   {sent{Type: 4}.bytes(""), 50, "handshake: expected 1 descriptor, got "},
		"a short message": {[]byte("short"), 1, "handshake: message of 5 bytes"},
	} {
		c, child := pair(t)
		r, w := pipe(t)
		fds := make([]int, tt.n)
		for i := range fds {
			fds[i] = w
		}
		send(t, child, tt.bytes, fds...)
		unix.Close(w)
		m, err := c.Receive()
		if err == nil || !strings.Contains(err.Error(), tt.want) || m.File != nil {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
		if !closed(r) {
			t.Errorf("%s: a descriptor stays open", name)
		}
		unix.Close(child)
	}
}

// The child never sends a control message without descriptors.
func TestOtherControlMessage(t *testing.T) {
	c, child := pair(t)
	defer unix.Close(child)
	if err := unix.SetsockoptInt(c.FD(), unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		t.Fatal(err)
	}
	send(t, child, sent{Type: 4}.bytes(""))
	if m, err := c.Receive(); !errors.Is(err, unix.EINVAL) {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := descriptors([]byte{1, 2, 3}); err == nil {
		t.Error("a broken control message is taken")
	}
}

func TestClosed(t *testing.T) {
	c, child := pair(t)
	unix.Close(child)
	if m, err := c.Receive(); err != ErrClosed {
		t.Errorf("%+v, %v", m, err)
	}
	if err := c.Answer(Go, 1); err != ErrClosed || !c.Unread() {
		t.Errorf("answer: %v", err)
	}
	c, child = pair(t)
	if err := c.Answer(Go, 1); err != nil {
		t.Fatal(err)
	}
	unix.Close(child) // it has not read the answer: the kernel says ECONNRESET
	if m, err := c.Receive(); err != ErrClosed || !c.Unread() {
		t.Errorf("with an answer that nobody has read: %+v, %v", m, err)
	}
}

// What a child has sent is not lost if it ends without reading the last answer.
func TestUnread(t *testing.T) {
	c, child := pair(t)
	if c.Unread() {
		t.Error("before the end")
	}
	var b [HeadSize]byte
	b[0] = byte(Failed)
	if err := errors.Join(unix.Sendto(child, b[:], 0, nil), c.Answer(Ready, 1), unix.Close(child)); err != nil {
		t.Fatal(err)
	}
	if m, err := c.Receive(); err != nil || m.Type != Failed || !c.Unread() {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := c.Receive(); err != ErrClosed {
		t.Errorf("then: %+v, %v", m, err)
	}
}

// Another error is not taken for the child's end.
func TestBroken(t *testing.T) {
	c := NewConn(-1)
	if _, err := c.Receive(); !errors.Is(err, unix.EBADF) || errors.Is(err, ErrClosed) {
		t.Errorf("receive: %v", err)
	}
	if err := c.Answer(Maps, 1); err == nil || err.Error() != "handshake: send maps: bad file descriptor" {
		t.Errorf("answer: %v", err)
	}
}

func TestAnswer(t *testing.T) {
	c, child := pair(t)
	defer unix.Close(child)
	if err := c.Answer(Forked, 1<<40+7); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, err := unix.Read(child, b)
	if want := (sent{Type: 3, Value: 1<<40 + 7}).bytes(""); err != nil || !bytes.Equal(b[:n], want) {
		t.Errorf("%v, %v, expected %v", b[:n], err, want)
	}
}

// The child gets a descriptor of its own.
func TestHand(t *testing.T) {
	c, child := pair(t)
	defer unix.Close(child)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	err := c.Hand(Network, 7, pipe[1])
	unix.Close(pipe[1])
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewConn(child).Receive()
	if err != nil || m.Type != Network || m.Value != 7 || m.File == nil {
		t.Fatalf("%+v, %v", m, err)
	}
	if _, err := m.File.WriteString("x"); err != nil {
		t.Error(err)
	}
	m.File.Close()
	b := make([]byte, 2)
	if n, err := unix.Read(pipe[0], b); n != 1 || b[0] != 'x' {
		t.Errorf("%d %q, %v", n, b, err)
	}
}

// A child that has ended is gone for the second message, too, if it did not read the first.
func TestUnreadTwice(t *testing.T) {
	c, child := pair(t)
	if err := c.Answer(Go, 1); err != nil {
		t.Fatal(err)
	}
	unix.Close(child)
	if err := c.Answer(Network, 0); !errors.Is(err, ErrClosed) || !c.Unread() {
		t.Errorf("%v, unread %v", err, c.Unread())
	}
}

// The messages that a child sent before it ended can be received, and then its end,
// even if another process has a copy of its socket.
func TestLeft(t *testing.T) {
	c, child := pair(t)
	send(t, child, sent{Type: 10, Index: 3}.bytes(""))
	if m, err := c.Left(); err != nil || m.Type != Kept || m.Index != 3 {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := c.Left(); err != ErrClosed {
		t.Errorf("open: %+v, %v", m, err)
	}
	unix.Close(child)
	if m, err := c.Left(); err != ErrClosed {
		t.Errorf("closed: %+v, %v", m, err)
	}
}

func TestFailure(t *testing.T) {
	c, child := pair(t)
	if m, ok := c.Failure(); ok {
		t.Errorf("nothing was sent: %+v", m)
	}
	r, w := pipe(t)
	send(t, child, sent{Type: 5}.bytes(""))
	send(t, child, sent{Type: 4}.bytes(""), w)
	unix.Close(w)
	send(t, child, sent{Type: 8, Index: 7}.bytes(""))
	send(t, child, sent{Type: 5}.bytes(""))
	if m, ok := c.Failure(); !ok || m.Type != Failed || m.Index != 7 {
		t.Errorf("%v, %+v", ok, m)
	}
	if !closed(r) {
		t.Error("the descriptor of a message that is passed over stays open")
	}
	if m, ok := c.Failure(); ok {
		t.Errorf("a question is taken for a failure: %+v", m)
	}
	unix.Close(child)
	if m, ok := c.Failure(); ok {
		t.Errorf("the child's end is taken for a failure: %+v", m)
	}
}

// Every message is either decoded or refused, and all types except Failed are
// accepted only in their turn.
func FuzzParse(f *testing.F) {
	f.Add(sent{8, 1, 2, 3, 4}.bytes("text"), uint32(Ready))
	f.Add(sent{Type: uint32(Ready)}.bytes(""), uint32(Ready))
	f.Add([]byte("short"), uint32(Go))
	f.Fuzz(func(t *testing.T, b []byte, turn uint32) {
		m, err := parse(b)
		if (err != nil) != (len(b) < HeadSize) {
			t.Fatalf("%d bytes: %v", len(b), err)
		}
		if err != nil {
			return
		}
		again := sent{uint32(m.Type), uint32(m.Index), uint32(m.Errno), uint32(m.Detail), m.Value}.bytes(m.Text)
		if !bytes.Equal(again, b) {
			t.Errorf("%v was read as %+v", b, m)
		}
		rest, err := Accept([]Type{Type(turn), Ready}, m)
		if m.Type == Failed && (err != nil || rest != nil) || m.Type != Failed && err == nil && uint32(m.Type) != turn {
			t.Errorf("%s in the turn of %s: %v, %v", m.Type, Type(turn), rest, err)
		}
	})
}
