// SPDX-License-Identifier: Apache-2.0

// Package wire implements the handshake between the runtime and the child: a few
// types of messages on a SEQPACKET socket, and the order in which they may come.
//
// The child asks or reports something, and the runtime answers with a message of the
// same type, whose value is the child's pid as the runtime sees it. Unasked, the runtime
// sends Go and Network, in this order. The runtime checks everything that the child
// sends: a message out of order ends the launch.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"golang.org/x/sys/unix"
)

// Type is the type of a message.
type Type uint32

// The messages.
const (
	Go       Type = iota + 1 // runtime: the child is in its cgroups and may go on
	Maps                     // child: a user namespace needs its id maps
	Forked                   // child: pid of the process that goes on, in Value
	Console                  // child: the terminal's master (descriptor)
	Mounted                  // child: the mounts are made; runtime: the hooks have run
	Listener                 // child: the seccomp listener (descriptor)
	Ready                    // child: all is done except the user's program, and perhaps to become the user; runtime: the state is stored
	Failed                   // child: an operation failed; the last message
	Started                  // child, to start: the connection is accepted
	Kept                     // child: an operation did not clear a locked read-only flag; no answer
	Mount                    // child: a mount that is about to be attached (descriptor)
	IDMap                    // child: a mount to be idmapped (descriptor)
	Trace                    // child: an operation is done and took Value nanoseconds, see [Message.Traced]; no answer
	Network                  // runtime: the network namespace (descriptor), or without one: the child is to make it

	types
)

var typeNames = [types]string{
	Go:       "go",
	Maps:     "maps",
	Forked:   "forked",
	Console:  "console",
	Mounted:  "mounted",
	Listener: "listener",
	Ready:    "ready",
	Failed:   "failed",
	Started:  "started",
	Kept:     "kept",
	Mount:    "mount",
	IDMap:    "idmap",
	Trace:    "trace",
	Network:  "network",
}

// String returns the name of the type.
func (t Type) String() string {
	if t == 0 || t >= types {
		return fmt.Sprintf("message %d", uint32(t))
	}
	return typeNames[t]
}

// Types lists all types, for generated code.
func Types() (all []Type) {
	for t := Go; t < types; t++ {
		all = append(all, t)
	}
	return all
}

// Detail says what an errno cannot express.
type Detail uint32

// The details of a failed operation.
const (
	NoDetail    Detail = iota
	Symlink            // a symlink where an ordinary directory must be
	OnProc             // a mount on procfs
	OnRoot             // a mount on the root itself
	OtherNode          // a file that is not the device asked for
	Outside            // the working directory is outside the root
	NotFound           // no such program in PATH
	IsDir              // the program is a directory
	HookExit           // a hook's exit status, in Value
	HookSignal         // a hook was killed by the signal in Value
	HookTimeout        // a hook was killed after its timeout
	NotPtmx            // /dev/ptmx is not the kernel's
	NotNull            // /dev/null is not the null device
	NotProc            // the source of a bind on /proc is no procfs
	FSLog              // Text is the file system's own message
	_                  // unused: a container that another version created sends these numbers to start
	Where              // Text names the object
	OtherKind          // a directory where a file is needed, or the other way round
	NotHost            // the host's node is not the device asked for
	NotMade            // Text names what could not be made: a directory, or a file if Value is not 0
	Refused            // Value is the number of the system call that was refused

	details
)

// detailNames are the names of the details in the child.
var detailNames = [details]string{
	NoDetail:    "NONE",
	Symlink:     "SYMLINK",
	OnProc:      "ON_PROC",
	OnRoot:      "ON_ROOT",
	OtherNode:   "OTHER_NODE",
	Outside:     "OUTSIDE",
	NotFound:    "NOT_FOUND",
	IsDir:       "IS_DIR",
	HookExit:    "HOOK_EXIT",
	HookSignal:  "HOOK_SIGNAL",
	HookTimeout: "HOOK_TIMEOUT",
	NotPtmx:     "NOT_PTMX",
	NotNull:     "NOT_NULL",
	NotProc:     "NOT_PROC",
	FSLog:       "FS_LOG",
	Where:       "WHERE",
	OtherKind:   "OTHER_KIND",
	NotHost:     "NOT_HOST",
	NotMade:     "NOT_MADE",
	Refused:     "REFUSED",
}

// Details lists the names of all details, indexed by number, for generated code; ""
// if no detail has the number.
func Details() []string { return detailNames[:] }

// Message is one message of the child.
type Message struct {
	Type   Type
	Index  int        // Failed, Kept, Trace: the operation
	Errno  unix.Errno // Failed
	Detail Detail     // Failed
	Value  int64
	Text   string   // Failed: end of a hook's output, message of a file system, or a path; Trace: see [Message.Traced]
	File   *os.File // Console, Listener, Mount, IDMap
}

// The sizes of a message's head and of the room for its text, in bytes.
const (
	HeadSize = 24
	TextSize = 488
)

// ErrClosed means that the other side is gone.
var ErrClosed = fault.New(fault.Killed, "the launch process ended without a message")

// Conn is the runtime's end of the socket.
type Conn struct {
	fd     int
	unread bool
}

// NewConn takes ownership of the socket fd.
func NewConn(fd int) *Conn { return &Conn{fd: fd} }

// FD returns the socket's descriptor.
func (c *Conn) FD() int { return c.fd }

// Close closes the socket; a child that still waits for an answer exits.
func (c *Conn) Close() error { return unix.Close(c.fd) }

// Receive waits for the child's next message. It returns ErrClosed if there is none
// because the child has executed the user's program or has ended.
func (c *Conn) Receive() (Message, error) { return c.receive(0) }

// Unread reports whether the child has ended without reading the last answer.
func (c *Conn) Unread() bool { return c.unread }

// Left returns the next message of a child that has ended. It returns ErrClosed if
// there is none, even if another process holds the child's end of the socket.
func (c *Conn) Left() (Message, error) {
	m, err := c.receive(unix.MSG_DONTWAIT)
	if errors.Is(err, unix.EAGAIN) {
		err = ErrClosed
	}
	return m, err
}

// Failure looks, without waiting, for the message by which a child reported its
// failure. It discards the messages before it.
func (c *Conn) Failure() (Message, bool) {
	for {
		m, err := c.receive(unix.MSG_DONTWAIT)
		if err != nil || m.Type == Failed {
			return m, err == nil
		}
		if m.File != nil {
			m.File.Close()
		}
	}
}

func (c *Conn) receive(flags int) (Message, error) {
	var buf [HeadSize + TextSize]byte
	var oob [64]byte
	for {
		n, oobn, _, _, err := unix.Recvmsg(c.fd, buf[:], oob[:], unix.MSG_CMSG_CLOEXEC|flags)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.ECONNRESET: // it comes once, before messages that are left
			c.unread = true
			continue
		case err != nil:
			return Message{}, fmt.Errorf("handshake: %w", err)
		case n == 0:
			return Message{}, ErrClosed
		}
		return decode(buf[:n], oob[:oobn])
	}
}

// decode decodes a message and takes over the descriptors that came with it. If it
// refuses the message, it closes them.
func decode(b, oob []byte) (m Message, err error) {
	fds, err := descriptors(oob)
	if err == nil {
		m, err = parse(b)
	}
	if err != nil {
		for _, fd := range fds {
			unix.Close(fd)
		}
		return Message{}, err
	}
	if len(fds) == 1 {
		m.File = os.NewFile(uintptr(fds[0]), m.Type.String())
	}
	return m, nil
}

// parse decodes the bytes of a message.
func parse(b []byte) (Message, error) {
	if len(b) < HeadSize {
		return Message{}, fmt.Errorf("handshake: message of %d bytes is too short", len(b))
	}
	le := binary.NativeEndian
	return Message{
		Type: Type(le.Uint32(b)), Index: int(le.Uint32(b[4:])), Errno: unix.Errno(le.Uint32(b[8:])),
		Detail: Detail(le.Uint32(b[12:])), Value: int64(le.Uint64(b[16:])), Text: string(b[HeadSize:]),
	}, nil
}

// descriptors returns the descriptor of a message, if it has one. If there are more,
// it returns them together with an error.
func descriptors(oob []byte) ([]int, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(msgs) != 1 {
		return nil, fmt.Errorf("handshake: expected 1 control message, got %d: %v", len(msgs), err)
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil {
		return nil, fmt.Errorf("handshake: descriptors: %w", err)
	}
	if len(fds) != 1 {
		return fds, fmt.Errorf("handshake: expected 1 descriptor, got %d", len(fds))
	}
	return fds, nil
}

// Answer sends the runtime's answer to a message of type t. It returns [ErrClosed]
// if the child has ended meanwhile.
func (c *Conn) Answer(t Type, value int64) error { return c.send(t, value, nil) }

func (c *Conn) send(t Type, value int64, oob []byte) error {
	var b [HeadSize]byte
	binary.NativeEndian.PutUint32(b[:], uint32(t))
	binary.NativeEndian.PutUint64(b[16:], uint64(value))
	err := unix.Sendmsg(c.fd, b[:], oob, nil, unix.MSG_NOSIGNAL)
	if err == unix.EPIPE || err == unix.ECONNRESET { // ECONNRESET: with a message before unread
		c.unread = true
		return ErrClosed
	}
	if err != nil {
		return fmt.Errorf("handshake: send %s: %w", t, err)
	}
	return nil
}

// Hand sends what Answer sends, with a descriptor.
func (c *Conn) Hand(t Type, value int64, fd int) error {
	return c.send(t, value, unix.UnixRights(fd))
}

// Accept checks m against the next message that the script expects, and returns the
// rest of the script.
func Accept(script []Type, m Message) ([]Type, error) {
	if m.Type == Failed {
		return nil, nil
	}
	needsFile := m.Type == Console || m.Type == Listener || m.Type == Mount || m.Type == IDMap
	switch {
	case len(script) == 0:
		return nil, fmt.Errorf("handshake: unexpected %s: the launch is complete", m.Type)
	case m.Type != script[0]:
		return nil, fmt.Errorf("handshake: unexpected %s, expected %s", m.Type, script[0])
	case needsFile != (m.File != nil):
		return nil, fmt.Errorf("handshake: wrong number of descriptors with %s", m.Type)
	}
	return script[1:], nil
}
