// SPDX-License-Identifier: Apache-2.0

package netdev

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"golang.org/x/sys/unix"
)

// The few requests that are needed are encoded here. The usual library,
// vishvananda/netlink, adds half a megabyte to the binary and 40 allocations to the
// start of every command, and it cannot choose the index of a device that is moved,
// which is the only sure way to find the device again.

// conn is an rtnetlink socket in one network namespace (rtnetlink(7)).
type conn struct {
	fd  int
	seq uint32
}

// dial opens a socket in the calling thread's network namespace. The socket stays in
// that namespace.
func dial() (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("rtnetlink: socket: %w", err)
	}
	// Extended acknowledgements have the kernel's message for what an errno cannot say
	// (Linux 4.12).
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	// An answer takes microseconds; if one never comes, skiff must not hang.
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10})
	return &conn{fd: fd}, nil
}

func (c *conn) close() { unix.Close(c.fd) }

// message is a netlink message that is being built: header, fixed part, attributes.
type message []byte

func newMessage(kind uint16, flags uint16, fixed []byte) message {
	m := make(message, unix.SizeofNlMsghdr, 256)
	binary.NativeEndian.PutUint16(m[4:], kind)
	binary.NativeEndian.PutUint16(m[6:], flags|unix.NLM_F_REQUEST)
	return append(m, fixed...)
}

// attr adds an attribute, with padding to a multiple of 4.
func (m *message) attr(kind uint16, value []byte) {
	var head [unix.SizeofRtAttr]byte
	binary.NativeEndian.PutUint16(head[0:], uint16(len(head)+len(value)))
	binary.NativeEndian.PutUint16(head[2:], kind)
	*m = append(append(*m, head[:]...), value...)
	for len(*m)%4 != 0 {
		*m = append(*m, 0)
	}
}

func (m *message) text(kind uint16, s string) { m.attr(kind, append([]byte(s), 0)) }

func (m *message) number(kind uint16, n uint32) {
	m.attr(kind, binary.NativeEndian.AppendUint32(nil, n))
}

// do sends a request and calls f, which may be nil, with the body of each message of
// the answer. The error wraps the kernel's errno.
func (c *conn) do(m message, f func(body []byte)) error {
	c.seq++
	if flags := binary.NativeEndian.Uint16(m[6:]); flags&unix.NLM_F_DUMP != unix.NLM_F_DUMP {
		binary.NativeEndian.PutUint16(m[6:], flags|unix.NLM_F_ACK)
	}
	binary.NativeEndian.PutUint32(m[0:], uint32(len(m)))
	binary.NativeEndian.PutUint32(m[8:], c.seq)
	if err := unix.Sendto(c.fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("rtnetlink: send: %w", err)
	}
	buf := make([]byte, 64<<10) // the kernel sends no larger datagrams
	for {
		n, _, err := unix.Recvfrom(c.fd, buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("rtnetlink: receive: %w", err)
		}
		if done, err := c.answer(buf[:n], f); done || err != nil {
			return err
		}
	}
}

// answer handles the messages of one datagram; done reports whether it was the last.
func (c *conn) answer(b []byte, f func(body []byte)) (done bool, err error) {
	ne := binary.NativeEndian
	for len(b) >= unix.SizeofNlMsghdr {
		n := int(ne.Uint32(b))
		if n < unix.SizeofNlMsghdr || n > len(b) {
			return true, errors.New("rtnetlink: malformed message")
		}
		body, kind, flags, seq := b[unix.SizeofNlMsghdr:n], ne.Uint16(b[4:]), ne.Uint16(b[6:]), ne.Uint32(b[8:])
		b = b[min(align(n), len(b)):]
		if seq != c.seq {
			continue // the rest of an answer that was abandoned
		}
		switch kind {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			return true, failure(body, flags)
		default:
			if f != nil {
				f(body)
			}
		}
	}
	return false, nil
}

func align(n int) int { return (n + 3) &^ 3 }

// Flags of nlmsghdr.nlmsg_flags in an answer, and an attribute of it (linux/netlink.h).
const (
	capped     = 0x100 // NLM_F_CAPPED: the answer repeats only the request's header
	ackText    = 0x200 // NLM_F_ACK_TLVS: it has attributes
	ackTextMsg = 1     // NLMSGERR_ATTR_MSG: the kernel's message
)

// failure returns the error of a struct nlmsgerr, which has an errno, the request's
// header, perhaps the request's body, and perhaps attributes; nil if the errno is 0.
func failure(b []byte, flags uint16) error {
	if len(b) < 4+unix.SizeofNlMsghdr {
		return errors.New("rtnetlink: malformed acknowledgement")
	}
	errno := int32(binary.NativeEndian.Uint32(b))
	if errno == 0 {
		return nil
	}
	err := error(unix.Errno(-errno))
	if flags&ackText == 0 {
		return err
	}
	skip := 4 + unix.SizeofNlMsghdr
	if flags&capped == 0 {
		skip = 4 + align(int(binary.NativeEndian.Uint32(b[4:])))
	}
	if text := cstring(attrs(b[min(skip, len(b)):])[ackTextMsg]); text != "" {
		return fault.Hint(err, text)
	}
	return err
}

// attrs returns attributes by type, without the flags in the type. If there are several
// of a type, the last one counts.
func attrs(b []byte) map[uint16][]byte {
	all := make(map[uint16][]byte)
	for len(b) >= unix.SizeofRtAttr {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofRtAttr || n > len(b) {
			break
		}
		all[binary.NativeEndian.Uint16(b[2:])&0x3fff] = b[unix.SizeofRtAttr:n]
		b = b[min(align(n), len(b)):]
	}
	return all
}

func cstring(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
