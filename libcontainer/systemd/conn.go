// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/systemd/dbus"
)

// conn is a D-Bus connection. A goroutine reads it all the time, so that a peer which
// sends signals never has to keep them.
type conn struct {
	file *os.File
	r    *bufio.Reader

	mu      sync.Mutex
	serial  uint32
	peer    string                        // systemd's name on the bus; "" on its own socket, where nobody else is
	waiting map[uint32]chan *dbus.Message // for the reply to each call, by serial
	jobs    map[string]string             // the results of the jobs that have ended; nil if nobody waits for one
	ended   chan struct{}                 // has an element if jobs has changed

	closed chan struct{} // is closed when nothing is read any more, for the reason err
	err    error
}

// errClosed is the error of a connection that the peer has closed, or this process.
var errClosed = errors.New("the connection was closed")

func newConn(file *os.File) *conn {
	return &conn{
		file: file, r: bufio.NewReader(file),
		waiting: make(map[uint32]chan *dbus.Message), ended: make(chan struct{}, 1), closed: make(chan struct{}),
	}
}

func (c *conn) close() { c.file.Close() }

// listen passes on what the peer sends, until the connection ends.
func (c *conn) listen() {
	for {
		m, err := dbus.Read(c.r)
		if err != nil {
			c.err = reason(err)
			close(c.closed)
			c.close()
			return
		}
		c.receive(m)
	}
}

// reason returns why the connection has ended.
func reason(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, fs.ErrClosed) {
		return errClosed
	}
	return fmt.Errorf("%w: %w", errClosed, cause(err))
}

func (c *conn) receive(m *dbus.Message) {
	switch m.Type {
	case dbus.Reply, dbus.Failure:
		c.mu.Lock()
		reply := c.waiting[m.ReplySerial]
		delete(c.waiting, m.ReplySerial)
		c.mu.Unlock()
		if reply != nil {
			reply <- m
		}
	case dbus.Signal:
		if m.Interface == manager && m.Member == "JobRemoved" && c.fromPeer(m) {
			c.jobEnded(m)
		}
	case dbus.Call:
		c.refuse(m)
	}
}

// trust stores systemd's name on the bus. The bus vouches for the sender of a message.
func (c *conn) trust(sender string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peer = sender
}

// fromPeer reports whether a signal comes from systemd: on a bus, anybody can send it.
func (c *conn) fromPeer(m *dbus.Message) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peer == "" || m.Sender == c.peer
}

// refuse answers a call. Nobody has a reason to call skiff, but a bus lets anybody do it,
// who would wait for an answer.
func (c *conn) refuse(m *dbus.Message) {
	if m.NoReply {
		return
	}
	answer := &dbus.Message{
		Type: dbus.Failure, NoReply: true, ReplySerial: m.Serial, Destination: m.Sender, Error: "org.freedesktop.DBus.Error.UnknownMethod",
	}
	_ = c.send(answer, new(dbus.Body).String("skiff has no methods"), callWait, nil)
}

// send sends a message, which must be read within a limit of time. The reply, if there is
// one, goes to the channel reply.
func (c *conn) send(m *dbus.Message, body *dbus.Body, wait time.Duration, reply chan *dbus.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serial++
	m.Serial = c.serial
	b, err := m.Encode(body)
	if err != nil {
		return err
	}
	if c.file.SetWriteDeadline(time.Now().Add(wait)) != nil {
		return errClosed
	}
	if reply != nil {
		c.waiting[m.Serial] = reply
	}
	if _, err := c.file.Write(b); err != nil {
		delete(c.waiting, m.Serial)
		c.close() // a part of the message may have been sent
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		return reason(err)
	}
	return nil
}

// call calls a method and waits for the reply.
func (c *conn) call(m *dbus.Message, body *dbus.Body, wait time.Duration) (*dbus.Message, error) {
	limit := time.NewTimer(wait)
	defer limit.Stop()
	m.Type = dbus.Call
	answer := make(chan *dbus.Message, 1)
	if err := c.send(m, body, wait, answer); errors.Is(err, errClosed) {
		<-c.closed // by listen, which knows why
		return nil, c.err
	} else if err != nil {
		return nil, err
	}
	select {
	case m := <-answer:
		return m, failure(m)
	case <-c.closed:
		select {
		case m := <-answer: // was the last one
			return m, failure(m)
		default:
			return nil, c.err
		}
	case <-limit.C:
		return nil, os.ErrDeadlineExceeded
	}
}

// replyError is an error that a method has returned.
type replyError struct{ name, text string }

func (e *replyError) Error() string {
	if e.text == "" {
		return e.name
	}
	return e.text
}

// failure returns the error that m reports.
func failure(m *dbus.Message) error {
	if m.Type != dbus.Failure {
		return nil
	}
	e := &replyError{name: m.Error}
	if all, err := m.Strings("s"); err == nil {
		e.text = all[0]
	}
	return e
}

// Limits of what is kept of jobs. More end only in a flood.
const (
	mostJobs   = 4096
	longestJob = 255
)

// watch begins, or ends, to keep the results of jobs.
func (c *conn) watch(yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobs = nil
	if yes {
		c.jobs = make(map[string]string)
	}
}

// jobEnded keeps the result in JobRemoved(id, job, unit, result).
func (c *conn) jobEnded(m *dbus.Message) {
	all, err := m.Strings("uoss")
	if err != nil || len(all[0]) > longestJob || len(all[2]) > longestJob {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jobs == nil || len(c.jobs) >= mostJobs {
		return
	}
	c.jobs[all[0]] = all[2]
	select {
	case c.ended <- struct{}{}:
	default:
	}
}

// result returns the result of a job, if it has ended.
func (c *conn) result(job string) (result string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	result, ok = c.jobs[job]
	clear(c.jobs) // of others
	return result, ok
}

// await waits for the end of a job, or for the limit.
func (c *conn) await(job string, limit <-chan time.Time) (result string, err error) {
	for {
		if result, ok := c.result(job); ok {
			return result, nil
		}
		select {
		case <-c.ended:
		case <-c.closed:
			if result, ok := c.result(job); ok {
				return result, nil
			}
			return "", c.err
		case <-limit:
			return "", os.ErrDeadlineExceeded
		}
	}
}
