// SPDX-License-Identifier: Apache-2.0

// Package netdev moves network devices from the runtime's network namespace into the
// container's (config-linux.md, "Network Devices"), and back if the container cannot be
// created.
package netdev

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// Device is a device that is moved, with what is needed to move it back. Values are
// those in the runtime's namespace, unless noted.
type Device struct {
	Name      string
	Index     uint32
	Up        bool
	Master    uint32   // index of the bridge or bond that it is a port of; 0 for none
	Addresses []string // the bytes of each [address]
	Routes    []string // the bytes of each [route]
	NewName   string   // in the container's namespace; may be a template (eth%d), from which the kernel makes the name
	NewIndex  uint32   // in the container's namespace
}

// Move is a move of devices between two network namespaces, which it keeps open.
type Move struct {
	Devices []Device

	own, target         *os.File // namespace of the runtime, and of the container
	ownConn, targetConn *conn
	moved               int // how many of Devices may have been moved
}

func field(name string) string { return fmt.Sprintf("linux.netDevices[%q]", name) }

// Prepare finds the devices and determines their names and indices in the container's
// network namespace, whose path is target. The keys of devices are names in the
// runtime's namespace. It changes nothing. The caller must call Close.
func Prepare(devices map[string]specs.LinuxNetDevice, target string) (_ *Move, err error) {
	m, err := open(target)
	if err != nil {
		return nil, fmt.Errorf("linux.netDevices: %w", err)
	}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	taken, err := m.targetConn.links()
	if err != nil {
		return nil, fmt.Errorf("linux.netDevices: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		d, err := m.find(name, devices[name].Name)
		if err == nil {
			err = d.place(&taken)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field(name), err)
		}
		m.Devices = append(m.Devices, d)
	}
	return m, nil
}

// Missing returns those of the devices that the container's network namespace, at the
// path target, does not have yet. A namespace that outlives the container still has
// them when the container is restored.
func Missing(devices map[string]specs.LinuxNetDevice, target string) (map[string]specs.LinuxNetDevice, error) {
	if len(devices) == 0 {
		return nil, nil
	}
	m, err := open(target)
	if err != nil {
		return nil, fmt.Errorf("linux.netDevices: %w", err)
	}
	defer m.Close()
	there, err := m.targetConn.links()
	if err != nil {
		return nil, fmt.Errorf("linux.netDevices: %w", err)
	}
	return lacking(devices, there), nil
}

// lacking returns those of the devices that are not among the links.
func lacking(devices map[string]specs.LinuxNetDevice, there []link) map[string]specs.LinuxNetDevice {
	missing := maps.Clone(devices)
	for name, d := range devices {
		if slices.ContainsFunc(there, func(l link) bool { return matches(l.name, cmp.Or(d.Name, name)) }) {
			delete(missing, name)
		}
	}
	return missing
}

// find returns the current state of a device.
func (m *Move) find(name, newName string) (d Device, err error) {
	l, err := m.ownConn.byName(name)
	if errors.Is(err, unix.ENODEV) {
		return d, fmt.Errorf("no such network device in skiff's network namespace: %w", unix.ENODEV)
	}
	if err != nil {
		return d, err
	}
	if newName == "" {
		newName = l.name // name may be an alternative name (IFLA_ALT_IFNAME)
	}
	d = Device{Name: l.name, Index: l.index, Up: l.up, Master: l.master, NewName: newName}
	addresses, err := m.ownConn.addresses(l.index)
	if err != nil {
		return d, err
	}
	for _, a := range addresses {
		d.Addresses = append(d.Addresses, string(a))
	}
	routes, err := m.ownConn.routes(l.index)
	for _, r := range routes {
		d.Routes = append(d.Routes, string(r))
	}
	return d, err
}

// place chooses the device's index in the container's namespace: the same as before, if
// that is free. By this index the device is found if the kernel chooses its name. taken
// has the devices of that namespace; place adds this one to them.
func (d *Device) place(taken *[]link) error {
	var highest uint32
	d.NewIndex = d.Index
	for _, l := range *taken {
		if l.name == d.NewName {
			return fmt.Errorf("the container's network namespace already has a device named %s: %w", d.NewName, unix.EEXIST)
		}
		highest = max(highest, l.index)
	}
	if slices.ContainsFunc(*taken, func(l link) bool { return l.index == d.Index }) {
		d.NewIndex = max(highest, d.Index) + 1
	}
	l := link{index: d.NewIndex}
	if !strings.Contains(d.NewName, "%") {
		l.name = d.NewName
	}
	*taken = append(*taken, l)
	return nil
}

// open opens both namespaces, and a socket in each.
func open(target string) (_ *Move, err error) {
	m := new(Move)
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	// Of the thread: the process may be in another one.
	if m.own, err = sys.OpenNamespace("/proc/thread-self/ns/net"); err != nil {
		return nil, err
	}
	if m.target, err = sys.OpenNamespace(target); err != nil {
		return nil, err
	}
	if same, err := sys.IsFile(m.target, "/proc/thread-self/ns/net"); err != nil || same {
		if err == nil {
			err = errors.New("the container must have a network namespace other than skiff's own")
		}
		return nil, err
	}
	if m.ownConn, err = dial(); err != nil {
		return nil, err
	}
	m.targetConn, err = m.dialTarget()
	return m, err
}

// dialTarget opens a socket in the container's namespace. A thread must enter the
// namespace for that.
func (m *Move) dialTarget() (*conn, error) {
	runtime.LockOSThread()
	if err := sys.Setns(m.target, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	c, err := dial()
	if back := sys.Setns(m.own, unix.CLONE_NEWNET); back != nil {
		return c, errors.Join(err, back) // the thread stays locked, so that it ends with its goroutine
	}
	runtime.UnlockOSThread()
	return c, err
}

// Close closes the sockets and the namespaces.
func (m *Move) Close() {
	for _, c := range [...]*conn{m.ownConn, m.targetConn} {
		if c != nil {
			c.close()
		}
	}
	for _, f := range [...]*os.File{m.own, m.target} {
		if f != nil {
			f.Close()
		}
	}
}

// Do moves the devices and sets them up. After an error, call [Move.Undo].
func (m *Move) Do() error {
	for i := range m.Devices {
		d := &m.Devices[i]
		m.moved = i + 1
		if err := m.moveOne(d); err != nil {
			return fmt.Errorf("%s: %w", field(d.Name), err)
		}
	}
	return nil
}

func (m *Move) moveOne(d *Device) (err error) {
	if t := trace.Begin(); t.On() {
		defer func() { t.Done(err, "move network device", d.Name+" as "+d.NewName) }()
	}
	if err := m.ownConn.move(d.Index, int(m.target.Fd()), d.NewName, d.NewIndex); err != nil {
		return fmt.Errorf("move it into the container as %s: %w", d.NewName, err)
	}
	l, err := m.targetConn.byIndex(d.NewIndex)
	if err != nil {
		return err
	}
	if err := m.targetConn.setAddresses(d.Addresses, l, d.Name); err != nil {
		return err
	}
	if err := m.targetConn.up(l.index); err != nil {
		return fmt.Errorf("bring it up: %w", err)
	}
	return nil
}

// setAddresses adds addresses again to a device that was named from.
func (c *conn) setAddresses(addresses []string, l link, from string) error {
	for _, a := range addresses {
		if err := c.do(address(a).request(l.index, from, l.name), nil); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("restore an address: %w", err)
		}
	}
	return nil
}

// Undo moves the devices back, and restores their name, index, master, addresses, state
// and routes.
func (m *Move) Undo() error {
	var errs []error
	for i := m.moved - 1; i >= 0; i-- {
		d := &m.Devices[i]
		if err := m.moveBack(d); err != nil {
			errs = append(errs, fmt.Errorf("%s: move it back: %w", field(d.Name), err))
		}
	}
	m.moved = 0
	return errors.Join(errs...)
}

func (m *Move) moveBack(d *Device) (err error) {
	if t := trace.Begin(); t.On() {
		defer func() { t.Done(err, "move network device back", d.NewName+" as "+d.Name) }()
	}
	l, err := m.targetConn.byIndex(d.NewIndex)
	switch {
	case errors.Is(err, unix.ENODEV):
		return nil // it was not moved
	case err != nil:
		return err
	case l.name != d.Name && !matches(l.name, d.NewName):
		return nil // it was not moved, and the index is another device's
	}
	err = m.targetConn.move(l.index, int(m.own.Fd()), d.Name, d.Index)
	if errors.Is(err, unix.EBUSY) { // the index is another device's by now
		err = m.targetConn.move(l.index, int(m.own.Fd()), d.Name, 0)
	}
	if err != nil {
		return err
	}
	if l, err = m.ownConn.byName(d.Name); err != nil {
		return err
	}
	return m.ownConn.restore(d, l)
}

// restore gives a device that was moved back its former settings.
func (c *conn) restore(d *Device, l link) error {
	var err error
	if d.Master != 0 {
		err = c.enslave(l.index, d.Master)
	}
	err = errors.Join(err, c.setAddresses(d.Addresses, l, d.Name))
	if !d.Up {
		return err
	}
	return errors.Join(err, c.up(l.index), c.setRoutes(d.Routes, l.index))
}

// Recover undoes a move of a runtime that was killed. target is a path of the
// container's network namespace. If the path does not exist any more, there is nothing
// to do: devices that were moved have disappeared with the namespace.
func Recover(devices []Device, target string) error {
	m, err := open(target)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("linux.netDevices: %w", err)
	}
	defer m.Close()
	m.Devices, m.moved = devices, len(devices)
	return m.Undo()
}

// matches reports whether name is template, or one that the kernel may have made from
// it.
func matches(name, template string) bool {
	before, after, ok := strings.Cut(template, "%d")
	if !ok {
		return name == template
	}
	digits := strings.TrimSuffix(strings.TrimPrefix(name, before), after)
	return name == before+digits+after && digits != "" && strings.Trim(digits, "0123456789") == ""
}
