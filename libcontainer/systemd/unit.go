// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
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
	v, err := m.property(object, manager, "ControlGroup", "the manager")
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("systemd: ControlGroup must be a path, not %v", v)
	}
	return path.Clean("/" + s), nil
}

// Free returns [ErrExists] if a unit of that name is in use. A failed one is reset,
// which frees its name.
func (m *Manager) Free(unit string) error {
	var at dbus.ObjectPath
	err := m.call("GetUnit", unit).Store(&at)
	if noSuchUnit(err) {
		return nil
	}
	if err != nil {
		return failed("look up", unit, err)
	}
	v, err := m.property(at, unitInterface, "ActiveState", unit)
	if err != nil {
		return err
	}
	switch state, _ := v.(string); state {
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
		{"Description", dbus.MakeVariant("skiff container " + id)},
		{"DefaultDependencies", dbus.MakeVariant(false)},
		{"CollectMode", dbus.MakeVariant("inactive-or-failed")},
	}
	for _, name := range [...]string{"CPUAccounting", "MemoryAccounting", "IOAccounting", "TasksAccounting"} {
		all = append(all, Property{name, dbus.MakeVariant(true)})
	}
	if !u.IsSlice() {
		all = append(all,
			Property{"Slice", dbus.MakeVariant(u.Slice)},
			Property{"Delegate", dbus.MakeVariant(true)},
			Property{"PIDs", dbus.MakeVariant([]uint32{uint32(pid)})})
	}
	all = append(all, properties...)
	type auxiliary struct {
		Name       string
		Properties []Property
	}
	err := m.job("start", u.Name, "StartTransientUnit", u.Name, "fail", all, []auxiliary{})
	if isDBusError(err, service+".UnitExists") {
		return fmt.Errorf("%w: %s", ErrExists, u.Name)
	}
	return err
}

// Stop stops the unit, waits until it has ended, and resets it, so that systemd forgets
// it. It is no error if the unit does not exist.
func (m *Manager) Stop(unit string) error {
	if err := m.job("stop", unit, "StopUnit", unit, "replace"); err != nil && !noSuchUnit(err) {
		return err
	}
	return m.reset(unit)
}

func (m *Manager) reset(unit string) error {
	err := m.call("ResetFailedUnit", unit).Err
	if err == nil || noSuchUnit(err) {
		return nil
	}
	return failed("reset", unit, err)
}

// Attach has systemd move the process into the unit's cgroup, or into the cgroup sub
// below it, for a caller who may not do so itself.
func (m *Manager) Attach(unit, sub string, pid int) error {
	err := m.call("AttachProcessesToUnit", unit, path.Join("/", sub), []uint32{uint32(pid)}).Err
	if err != nil {
		return failed(fmt.Sprintf("move process %d to", pid), unit, err)
	}
	return nil
}

// Set changes properties of a unit until the next boot (SetUnitProperties, runtime).
func (m *Manager) Set(unit string, properties []Property) error {
	if len(properties) == 0 {
		return nil
	}
	if err := m.call("SetUnitProperties", unit, true, properties).Err; err != nil {
		return failed("set properties of", unit, err)
	}
	return nil
}

// job calls a method that starts a job, and waits for the end of the job.
func (m *Manager) job(verb, unit, method string, args ...any) (err error) {
	if t := trace.Begin(); t.On() {
		defer func() { t.Done(err, "wait for systemd to "+verb, unit) }()
	}
	limit := time.NewTimer(m.jobWait)
	defer limit.Stop()
	var job dbus.ObjectPath
	if err := m.call(method, args...).Store(&job); err != nil {
		return failed(verb, unit, err)
	}
	for {
		select {
		case s := <-m.signals:
			if s == nil {
				return failed(verb, unit, errors.New("the connection was closed"))
			}
			if result, ok := ended(s, job); ok {
				return jobResult(verb, unit, result)
			}
		case <-limit.C:
			return failed(verb, unit, fmt.Errorf("waited %v for the end of the job (JobRemoved): %w", m.jobWait, unix.ETIMEDOUT))
		}
	}
}

// ended reports whether s is the signal that the job has ended, JobRemoved(id, job,
// unit, result), and returns the result.
func ended(s *dbus.Signal, job dbus.ObjectPath) (result string, ok bool) {
	if s.Name != manager+".JobRemoved" || len(s.Body) < 4 || s.Body[1] != job {
		return "", false
	}
	result, ok = s.Body[3].(string)
	return result, ok
}

func jobResult(verb, unit, result string) error {
	if result == "done" {
		return nil
	}
	return failed(verb, unit, fmt.Errorf("the result of the job is %q instead of \"done\"", result))
}

func (m *Manager) call(method string, args ...any) *dbus.Call {
	wait := min(callWait, m.jobWait)
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	t := trace.Begin()
	c := m.conn.Object(service, object).CallWithContext(ctx, manager+"."+method, 0, args...)
	t.Done(c.Err, "call systemd:", method)
	c.Err = asTimeout(c.Err, wait, "the reply to "+method)
	return c
}

func (m *Manager) property(at dbus.ObjectPath, of, name, whose string) (any, error) {
	wait := min(callWait, m.jobWait)
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	var v dbus.Variant
	t := trace.Begin()
	err := m.conn.Object(service, at).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, of, name).Store(&v)
	t.Done(err, "read property of systemd:", name)
	if err != nil {
		return nil, failed("read "+name+" of", whose, asTimeout(err, wait, "the reply to Get"))
	}
	return v.Value(), nil
}

func failed(what, unit string, err error) error {
	return fmt.Errorf("systemd: cannot %s %s: %w", what, unit, err)
}

func noSuchUnit(err error) bool { return isDBusError(err, service+".NoSuchUnit") }

// isDBusError reports whether err is the D-Bus error of this name.
func isDBusError(err error, name string) bool {
	e := dbus.Error{}
	return errors.As(err, &e) && e.Name == name
}
