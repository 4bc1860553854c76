// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// fake is a systemd instance of a user, on a private socket. It keeps the state of
// units by name, and the properties that it was given.
type fake struct {
	hangs  bool   // it answers calls, but its jobs never end
	silent bool   // it does not answer calls
	result string // of its jobs; "done" if empty
	old    bool   // a version without OOMPolicy for scopes

	mu    sync.Mutex
	units map[string]string // state by name
	given []string          // "Name=value" of each property
	calls []string
	state string // of the unit of the last GetUnit
}

// serve starts the fake in a directory that becomes $XDG_RUNTIME_DIR.
func (f *fake) serve(t *testing.T) *Manager {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	if err := os.Mkdir(filepath.Join(dir, "systemd"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "systemd/private"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if f.units == nil {
		f.units = make(map[string]string)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.talk(c)
		}
	}()
	m, err := Dial(true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	if f.silent || f.hangs {
		m.jobWait = 300 * time.Millisecond
	}
	return m
}

// talk does the server's side of the authentication, then answers calls.
func (f *fake) talk(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	if b, err := r.ReadByte(); err != nil || b != 0 {
		return
	}
	for {
		line, err := r.ReadString('\n')
		switch line = strings.TrimSpace(line); {
		case err != nil:
			return
		case strings.HasPrefix(line, "AUTH EXTERNAL"):
			fmt.Fprint(c, "OK 0123456789abcdef0123456789abcdef\r\n")
		case line == "BEGIN":
			f.answer(c, r)
			return
		}
	}
}

func (f *fake) answer(c net.Conn, r *bufio.Reader) {
	for {
		m, err := dbus.DecodeMessage(r)
		if err != nil {
			return
		}
		if f.silent {
			continue
		}
		method, _ := m.Headers[dbus.FieldMember].Value().(string)
		body, errName, job := f.do(method, m.Body)
		reply := &dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{}, Body: body}
		if errName != "" {
			reply.Type = dbus.TypeError
			reply.Headers[dbus.FieldErrorName] = dbus.MakeVariant(errName)
		}
		reply.Headers[dbus.FieldReplySerial] = dbus.MakeVariant(m.Serial())
		send(c, reply)
		if job != "" && !f.hangs {
			result := f.result
			if result == "" {
				result = "done"
			}
			send(c, &dbus.Message{
				Type: dbus.TypeSignal,
				Headers: map[dbus.HeaderField]dbus.Variant{
					dbus.FieldPath: dbus.MakeVariant(dbus.ObjectPath(object)), dbus.FieldInterface: dbus.MakeVariant(manager), dbus.FieldMember: dbus.MakeVariant("JobRemoved"),
				},
				Body: []any{uint32(7), dbus.ObjectPath("/job/7"), job, result},
			})
		}
	}
}

func send(c net.Conn, m *dbus.Message) {
	if len(m.Body) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(m.Body...))
	}
	_ = m.EncodeTo(c, binary.LittleEndian)
}

// do carries out a call. It returns the answer, or the name of an error, and the unit
// whose job ends with it.
func (f *fake) do(method string, args []any) (body []any, errName, job string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	unit := ""
	if len(args) > 0 {
		unit, _ = args[0].(string)
	}
	f.calls = append(f.calls, method+" "+unit)
	_, there := f.units[unit]
	switch method {
	case "Get":
		switch args[1] {
		case "ControlGroup":
			return []any{dbus.MakeVariant("/user.slice/manager")}, "", ""
		case "Version":
			if f.old {
				return []any{dbus.MakeVariant("249.11-0ubuntu3")}, "", ""
			}
			return []any{dbus.MakeVariant("257.9-1~deb13u1")}, "", ""
		}
		return []any{dbus.MakeVariant(f.state)}, "", ""
	case "StartTransientUnit":
		if there {
			return nil, service + ".UnitExists", ""
		}
		f.units[unit] = "active"
		for _, p := range args[2].([][]any) {
			f.given = append(f.given, fmt.Sprintf("%s=%v", p[0], p[1].(dbus.Variant).Value()))
		}
		return []any{dbus.ObjectPath("/job/7")}, "", unit
	}
	if !there {
		return nil, service + ".NoSuchUnit", ""
	}
	switch method {
	case "GetUnit":
		f.state = f.units[unit]
		return []any{dbus.ObjectPath("/unit")}, "", ""
	case "StopUnit":
		delete(f.units, unit)
		return []any{dbus.ObjectPath("/job/7")}, "", unit
	case "ResetFailedUnit":
		delete(f.units, unit)
	}
	return nil, "", ""
}
