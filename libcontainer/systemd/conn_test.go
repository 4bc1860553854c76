// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bufio"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// serveRaw connects to a peer that authenticates, and then does what talk says.
func serveRaw(t *testing.T, talk func(c net.Conn, r *bufio.Reader)) *Manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "private")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		r := bufio.NewReader(c)
		if _, err := r.ReadString('\n'); err != nil {
			return
		}
		if _, err := c.Write([]byte("OK 0123456789abcdef0123456789abcdef\r\n")); err != nil {
			return
		}
		if _, err := r.ReadString('\n'); err != nil {
			return
		}
		talk(c, r)
	}()
	m, err := connect(address{path, true}, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// answerWith answers one call.
func answerWith(c net.Conn, r *bufio.Reader, body ...any) {
	if m, err := dbus.DecodeMessage(r); err == nil {
		send(c, &dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{dbus.FieldReplySerial: dbus.MakeVariant(m.Serial())}, Body: body})
	}
}

// A peer that breaks off, or does not keep to D-Bus, makes an error at once.
func TestBrokenPeer(t *testing.T) {
	for _, c := range []struct {
		name, want string
		talk       func(c net.Conn, r *bufio.Reader)
	}{
		{"closed at once", "the connection was closed", func(net.Conn, *bufio.Reader) {}},
		{"closed at the call", "the connection was closed", func(_ net.Conn, r *bufio.Reader) { _, _ = dbus.DecodeMessage(r) }},
		{"closed at the job", "cannot start skiff-web.scope: the connection was closed", func(c net.Conn, r *bufio.Reader) { answerWith(c, r, dbus.ObjectPath("/job/7")) }},
		{"no D-Bus", "the connection was closed: D-Bus: a message begins with the byte 0x48", func(c net.Conn, r *bufio.Reader) {
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_, _ = r.ReadByte()
			time.Sleep(time.Second)
		}},
		{"a wrong reply", `D-Bus: the values have the types "u" instead of "o"`, func(c net.Conn, r *bufio.Reader) { answerWith(c, r, uint32(7)) }},
		{"an empty reply", `D-Bus: the values have the types "" instead of "o"`, func(c net.Conn, r *bufio.Reader) { answerWith(c, r) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := serveRaw(t, c.talk).Start(web, "web", 7, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "systemd: cannot start skiff-web.scope: ") {
				t.Errorf("%v, expected %s", err, c.want)
			}
		})
	}
}

// Signals are read although nobody waits for one: systemd would have to keep them.
func TestSignalsAreRead(t *testing.T) {
	written := make(chan error, 1)
	m := serveRaw(t, func(c net.Conn, r *bufio.Reader) {
		signal := &dbus.Message{Type: dbus.TypeSignal, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldPath: dbus.MakeVariant(dbus.ObjectPath(object)), dbus.FieldInterface: dbus.MakeVariant(manager), dbus.FieldMember: dbus.MakeVariant("JobRemoved"),
		}, Body: []any{uint32(1), dbus.ObjectPath("/job/1"), strings.Repeat("x", 1000), "done"}}
		for range 2000 {
			send(c, signal)
		}
		written <- c.SetDeadline(time.Now().Add(5 * time.Second))
		answerWith(c, r, dbus.MakeVariant("/top"))
	})
	select {
	case <-written:
	case <-time.After(10 * time.Second):
		t.Fatal("nobody reads")
	}
	if top, err := m.ControlGroup(); err != nil || top != "/top" {
		t.Errorf("%q, %v", top, err)
	}
	if n := len(m.conn.jobs); n != 0 {
		t.Errorf("%d results of jobs are kept", n)
	}
}

// After Close there is no connection.
func TestClose(t *testing.T) {
	ended := make(chan error, 1)
	m := serveRaw(t, func(_ net.Conn, r *bufio.Reader) { _, err := r.ReadByte(); ended <- err })
	m.Close()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the connection is still open")
	}
	if _, err := m.ControlGroup(); err == nil || !strings.Contains(err.Error(), "the connection was closed") {
		t.Errorf("a call after Close: %v", err)
	}
	m.Close()
	(*Manager)(nil).Close()
}
