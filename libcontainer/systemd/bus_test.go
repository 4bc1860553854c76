// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bufio"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

func TestBusPaths(t *testing.T) {
	for list, want := range map[string][]address{
		"":                                     nil,
		"unix:path=/run/bus":                   {{"/run/bus", false}},
		"unix:path=/run/bus,guid=0123":         {{"/run/bus", false}},
		"unix:guid=0123,abstract=/tmp/dbus-x":  {{"@/tmp/dbus-x", false}},
		"tcp:host=x;unix:path=/a;unix:path=/b": {{"/a", false}, {"/b", false}},
		"unix:path=/a%20b%2fc%25":              {{"/a b/c%", false}},
		"unix:path=/a%2;unix:path=/b%zz":       nil,
		"unix:runtime=yes;unixexec:path=x":     nil,
	} {
		if got := busPaths(list); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, expected %v", list, got, want)
		}
	}
	for _, s := range []string{"", "a", "%", "%4", "%41", "%4g", "%zz", "a%41b%c3%a4%", "%%41", "%+1", "%00x", "a+b"} {
		want, err := url.PathUnescape(s)
		if got, ours := unescape(s); (ours == nil) != (err == nil) || err == nil && got != want {
			t.Errorf("%q: %q, %v; package url: %q, %v", s, got, ours, want, err)
		}
	}
}

// startBus starts a bus that listens at an address, and returns the address with which it
// is reached.
func startBus(t *testing.T, listen string) string {
	t.Helper()
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skipf("needs a bus: %v", err)
	}
	config := filepath.Join(t.TempDir(), "bus.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, `<busconfig><type>session</type><listen>%s</listen><auth>EXTERNAL</auth>
		<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>`, listen), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(daemon, "--config-file="+config, "--nofork", "--nopidfile", "--print-address")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("dbus-daemon does not start: %v", err)
	}
	return strings.TrimSpace(line)
}

// onTheBus is the fake systemd as a service of a real bus.
type onTheBus struct {
	f     *fake
	conn  *dbus.Conn
	other *dbus.Conn // of somebody else on the bus
}

func (b onTheBus) call(method string, args ...any) (body []any, err *dbus.Error) {
	body, name, job := b.f.do(method, args)
	if name != "" {
		return nil, dbus.NewError(name, []any{"no: " + name})
	}
	if job != "" {
		defer func() {
			go func() {
				_ = b.other.Emit(object, manager+".JobRemoved", uint32(7), dbus.ObjectPath("/job/7"), job, "forged")
				_ = b.other.BusObject().Call("org.freedesktop.DBus.GetId", 0).Err // the bus has passed it on
				_ = b.conn.Emit(object, manager+".JobRemoved", uint32(6), dbus.ObjectPath("/job/6"), "other.scope", "done")
				_ = b.conn.Emit(object, manager+".JobRemoved", uint32(7), dbus.ObjectPath("/job/7"), job, "done")
			}()
		}()
	}
	return body, nil
}

func path0(body []any, err *dbus.Error) (dbus.ObjectPath, *dbus.Error) {
	if err != nil {
		return "/", err
	}
	return body[0].(dbus.ObjectPath), nil
}

func (b onTheBus) GetUnit(unit string) (dbus.ObjectPath, *dbus.Error) {
	return path0(b.call("GetUnit", unit))
}

func (b onTheBus) StopUnit(unit, mode string) (dbus.ObjectPath, *dbus.Error) {
	return path0(b.call("StopUnit", unit, mode))
}

type busProperty struct {
	Name  string
	Value dbus.Variant
}

type busUnit struct {
	Name       string
	Properties []busProperty
}

func (b onTheBus) StartTransientUnit(unit, mode string, properties []busProperty, _ []busUnit) (dbus.ObjectPath, *dbus.Error) {
	var list [][]any
	for _, p := range properties {
		list = append(list, []any{p.Name, p.Value})
	}
	return path0(b.call("StartTransientUnit", unit, mode, list))
}

func (b onTheBus) SetUnitProperties(unit string, runtime bool, properties []busProperty) *dbus.Error {
	_, err := b.call("SetUnitProperties", unit, runtime, properties)
	return err
}

func (b onTheBus) AttachProcessesToUnit(unit, sub string, pids []uint32) *dbus.Error {
	_, err := b.call("AttachProcessesToUnit", unit, sub, pids)
	return err
}

func (b onTheBus) ResetFailedUnit(unit string) *dbus.Error {
	_, err := b.call("ResetFailedUnit", unit)
	return err
}

func (b onTheBus) Subscribe() *dbus.Error { return nil }

func (b onTheBus) Get(of, name string) (dbus.Variant, *dbus.Error) {
	body, err := b.call("Get", of, name)
	return body[0].(dbus.Variant), err
}

// serveBus starts a bus with the fake systemd on it, and connects to it.
func (f *fake) serveBus(t *testing.T, listen string) *Manager {
	t.Helper()
	at := startBus(t, listen)
	conn, err := dbus.Connect(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	other, err := dbus.Connect(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	if f.units == nil {
		f.units = make(map[string]string)
	}
	for of, path := range map[string]dbus.ObjectPath{manager: object, "org.freedesktop.DBus.Properties": object} {
		if err := errors.Join(conn.Export(onTheBus{f, conn, other}, path, of), conn.Export(onTheBus{f, conn, other}, "/unit", of)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.RequestName(service, 0); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", at)
	m, err := Dial(true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// All that is said to systemd passes a real bus, which closes the connection of a client
// that breaks a rule.
func TestRealBus(t *testing.T) {
	dir := t.TempDir()
	for _, listen := range []string{"unix:path=" + dir + "/a%20b", fmt.Sprintf("unix:abstract=%s/bus,guid=0123456789abcdef0123456789abcdef", dir)} {
		t.Run(listen, func(t *testing.T) {
			f := new(fake)
			m := f.serveBus(t, strings.Split(listen, ",")[0])
			testBus(t, f, m)
		})
	}
}

func testBus(t *testing.T, f *fake, m *Manager) {
	if top, err := m.ControlGroup(); err != nil || top != "/user.slice/manager" {
		t.Fatalf("ControlGroup: %q, %v", top, err)
	}
	limits, err := Limits([][2]string{{"cpuset.cpus", "0-2,9"}, {"memory.max", "max"}, {"cpu.max", "50000 100000"}})
	if err != nil {
		t.Fatal(err)
	}
	named, err := Named(map[string]string{"After": "['a.service', 'b.service']", "Misc": "@a{sv} {'a': <[uint64 1]>}", "None": "@a(ss) []"})
	if err != nil {
		t.Fatal(err)
	}
	all := append(append(limits, Devices([]Device{{"/dev/null", "rw"}, {"char-pts", "rwm"}})...), named...)
	if err := m.Start(web, "web", 1<<31, all); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Slice=system.slice", "PIDs=[2147483648]", "AllowedCPUs=[7 2]", "MemoryMax=18446744073709551615", "DeviceAllow=[[/dev/null rw] [char-pts rwm]]", "After=[a.service b.service]", "None=[]",
	} {
		if given := strings.Join(f.given, " "); !strings.Contains(given, want) {
			t.Errorf("%s is not among the properties: %s", want, given)
		}
	}
	if err := m.Free(web.Name); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), web.Name) {
		t.Errorf("the name of an active unit is free: %v", err)
	}
	if err := m.Start(web, "web", 7, nil); !errors.Is(err, ErrExists) {
		t.Errorf("a second unit of the name: %v", err)
	}
	if err := errors.Join(m.Set(web.Name, limits), m.Attach(web.Name, "sub", 7)); err != nil {
		t.Error(err)
	}
	if err := m.Attach("other.scope", "", 7); err == nil || !strings.HasSuffix(err.Error(), ": no: org.freedesktop.systemd1.NoSuchUnit") {
		t.Errorf("%v, expected the text of the error", err)
	}
	if err := m.Stop(web.Name); err != nil || len(f.units) != 0 {
		t.Errorf("%v, units are left: %v", err, f.units)
	}
}

// A bus without systemd is none on which systemd answers.
func TestBusWithoutSystemd(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", startBus(t, "unix:dir="+t.TempDir()))
	if _, err := Dial(true); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "org.freedesktop.systemd1 was not provided") {
		t.Errorf("%v, expected the bus's error", err)
	}
}

// Others on the bus who call skiff are answered.
func TestCalledByOthers(t *testing.T) {
	m := new(fake).serveBus(t, "unix:dir="+t.TempDir())
	other, err := dbus.Connect(os.Getenv("DBUS_SESSION_BUS_ADDRESS"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var names []string
	if err := other.BusObject().Call("org.freedesktop.DBus.ListNames", 0).Store(&names); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, name := range names {
		err := other.Object(name, "/").Call("org.freedesktop.DBus.Introspectable.Frobnicate", 0, "x").Err
		if err != nil && err.Error() == "skiff has no methods" {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("%d of %v have answered as skiff", refused, names)
	}
	if _, err := m.ControlGroup(); err != nil {
		t.Error(err)
	}
}
