// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"strings"

	"golang.org/x/sys/unix"
)

// message is a datagram, and the descriptor that may have come with it.
type message struct {
	text string
	fd   int    // -1 if there is none
	bad  string // why it is invalid; empty if it is valid
}

// inbox receives messages from a socket, into the same buffer each time.
type inbox struct {
	buf [maxMessage + 1]byte
	oob []byte
}

func newInbox() *inbox { return &inbox{oob: make([]byte, unix.CmsgLen(4))} }

// receive receives the next datagram; the error is unix.EAGAIN if there is none. A
// valid message has at most one descriptor. The buffer has no room for more, so the
// kernel closes the others before they are ours.
func (b *inbox) receive(socket int) (m message, err error) {
	n, oobn, flags := 0, 0, 0
	err = retry(func() (err error) {
		n, oobn, flags, _, err = unix.Recvmsg(socket, b.buf[:], b.oob, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
		return err
	})
	m = message{fd: -1}
	if err != nil {
		return m, err
	}
	m.fd = descriptor(b.oob[:oobn])
	if m.fd >= 0 && flags&unix.MSG_CTRUNC != 0 {
		unix.Close(m.fd)
		m.fd = -1
	}
	m.text, m.bad = check(b.buf[:n])
	return m, nil
}

// check applies systemd's rules for a message.
func check(b []byte) (text, bad string) {
	if len(b) > maxMessage {
		return "", "a message longer than 4096 bytes"
	}
	text = strings.TrimSuffix(string(b), "\x00")
	if strings.ContainsRune(text, 0) {
		return "", "a message with a NUL byte"
	}
	return text, ""
}

func descriptor(oob []byte) int {
	list, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(list) != 1 {
		return -1
	}
	fds, err := unix.ParseUnixRights(&list[0])
	if err != nil || len(fds) != 1 {
		return -1
	}
	return fds[0]
}
