// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/systemd/dbus"
	"github.com/skiff-oci/skiff/libcontainer/trace"
)

const unitInterface = service + ".Unit"

// IsSlice reports whether the unit is a slice. Processes are put into a slice as into
// any cgroup; a scope is made around an existing process.
func (u Unit) IsSlice() bool { return strings.HasSuffix(u.Name, ".slice") }

// Path returns the path of the unit's cgroup below that of the manager. Each dash in
// the name of a slice is one level (systemd.slice(5)).
func (u Unit) Path() string {
	if u.IsSlice() {
		return slicePath(u.Name)
	}
	return path.Join(slicePath(u.Slice), u.Name)
}

func slicePath(name string) string {
	base := strings.TrimSuffix(name, ".slice")
	if base == "-" {
		return "/"
	}
	p := "/"
	for i := range len(base) {
		if base[i] == '-' {
			p += base[:i] + ".slice/"
		}
	}
	return p + name
}

// ControlGroup returns the cgroup that the manager's units are below; "/" for the
// system instance.
func (m *Manager) ControlGroup() (string, error) {
	s, err := m.property(object, manager, "ControlGroup", "the manager")
	if err != nil {
		return "", err
	}
	return path.Clean("/" + s), nil
}

// Free returns [ErrExists] if a unit of that name is in use. A failed one is reset,
// which frees its name.
func (m *Manager) Free(unit string) error {
	at, err := m.callPath("GetUnit", new(dbus.Body).String(unit))
	if noSuchUnit(err) {
		return nil
	}
	if err != nil {
		return failed("look up", unit, err)
	}
	state, err := m.property(at, unitInterface, "ActiveState", unit)
	if err != nil {
		return err
	}
	switch state {
	case "inactive":
		return nil
	case "failed":
		return m.reset(unit)
	default:
		return fmt.Errorf("%w: %s is %s", ErrExists, unit, state)
	}
}

// Start makes the unit and waits until systemd has started it. A scope starts with the
// process pid in it. If the name is in use the error is [ErrExists].
func (m *Manager) Start(u Unit, id string, pid int, properties []Property) error {
	all := []Property{
		{"Description", dbus.String("skiff container " + id)},
		{"DefaultDependencies", dbus.Bool(false)},
		{"CollectMode", dbus.String("inactive-or-failed")},
	}
	for _, name := range [...]string{"CPUAccounting", "MemoryAccounting", "IOAccounting", "TasksAccounting"} {
		all = append(all, Property{name, dbus.Bool(true)})
	}
	if !u.IsSlice() {
		all = append(all,
			Property{"Slice", dbus.String(u.Slice)},
			Property{"Delegate", dbus.Bool(true)},
			Property{"PIDs", dbus.Uint32s(uint32(pid))})
	}
	all = append(all, properties...)
	err := m.job("start", u.Name, "StartTransientUnit", new(dbus.Body).String(u.Name).String("fail").Properties(onBus(all)).NoUnits())
	if isDBusError(err, service+".UnitExists") {
		return fmt.Errorf("%w: %s", ErrExists, u.Name)
	}
	return err
}

// Stop stops the unit, waits until it has ended, and resets it, so that systemd forgets
// it. It is no error if the unit does not exist.
func (m *Manager) Stop(unit string) error {
	if err := m.job("stop", unit, "StopUnit", new(dbus.Body).String(unit).String("replace")); err != nil && !noSuchUnit(err) {
		return err
	}
	return m.reset(unit)
}

func (m *Manager) reset(unit string) error {
	_, err := m.call("ResetFailedUnit", new(dbus.Body).String(unit))
	if err == nil || noSuchUnit(err) {
		return nil
	}
	return failed("reset", unit, err)
}

// Attach has systemd move the process into the unit's cgroup, or into the cgroup sub
// below it, for a caller who may not do so itself.
func (m *Manager) Attach(unit, sub string, pid int) error {
	body := new(dbus.Body).String(unit).String(path.Join("/", sub)).Uint32s(uint32(pid))
	if _, err := m.call("AttachProcessesToUnit", body); err != nil {
		return failed(fmt.Sprintf("move process %d to", pid), unit, err)
	}
	return nil
}

// Set changes properties of a unit until the next boot (SetUnitProperties, runtime).
func (m *Manager) Set(unit string, properties []Property) error {
	if len(properties) == 0 {
		return nil
	}
	if _, err := m.call("SetUnitProperties", new(dbus.Body).String(unit).Bool(true).Properties(onBus(properties))); err != nil {
		return failed("set properties of", unit, err)
	}
	return nil
}

// job calls a method that starts a job, and waits for the end of the job.
func (m *Manager) job(verb, unit, method string, body *dbus.Body) (err error) {
	if t := trace.Begin(); t.On() {
		defer func() { t.Done(err, "wait for systemd to "+verb, unit) }()
	}
	limit := time.NewTimer(m.jobWait)
	defer limit.Stop()
	m.conn.watch(true)
	defer m.conn.watch(false)
	job, err := m.callPath(method, body)
	if err != nil {
		return failed(verb, unit, err)
	}
	result, err := m.conn.await(job, limit.C)
	if err != nil {
		return failed(verb, unit, asTimeout(err, m.jobWait, "the end of the job (JobRemoved)"))
	}
	return jobResult(verb, unit, result)
}

func jobResult(verb, unit, result string) error {
	if result == "done" {
		return nil
	}
	return failed(verb, unit, fmt.Errorf("the result of the job is %q instead of \"done\"", result))
}

// call calls a method of the manager.
func (m *Manager) call(method string, body *dbus.Body) (*dbus.Message, error) {
	wait := min(callWait, m.jobWait)
	t := trace.Begin()
	reply, err := m.conn.call(&dbus.Message{Destination: service, Path: object, Interface: manager, Member: method}, body, wait)
	t.Done(err, "call systemd:", method)
	return reply, asTimeout(err, wait, "the reply to "+method)
}

// callPath calls a method that returns the path of an object.
func (m *Manager) callPath(method string, body *dbus.Body) (string, error) {
	reply, err := m.call(method, body)
	if err != nil {
		return "", err
	}
	all, err := reply.Strings("o")
	if err != nil {
		return "", err
	}
	return all[0], nil
}

// property reads a property that is a string.
func (m *Manager) property(at, of, name, whose string) (string, error) {
	wait := min(callWait, m.jobWait)
	t := trace.Begin()
	get := &dbus.Message{Destination: service, Path: at, Interface: "org.freedesktop.DBus.Properties", Member: "Get"}
	reply, err := m.conn.call(get, new(dbus.Body).String(of).String(name), wait)
	text := ""
	if err == nil {
		text, err = reply.StringVariant()
	}
	t.Done(err, "read property of systemd:", name)
	if err != nil {
		return "", failed("read "+name+" of", whose, asTimeout(err, wait, "the reply to Get"))
	}
	return text, nil
}

func failed(what, unit string, err error) error {
	return fmt.Errorf("systemd: cannot %s %s: %w", what, unit, err)
}

func noSuchUnit(err error) bool { return isDBusError(err, service+".NoSuchUnit") }

// isDBusError reports whether err is the D-Bus error of this name.
func isDBusError(err error, name string) bool {
	e := (*replyError)(nil)
	return errors.As(err, &e) && e.name == name
}
