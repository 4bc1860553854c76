// Package netdev moves network devices of the runtime's network namespace into
// the container's (config-linux.md, "Network Devices"), and back again if the
// container comes to nothing.
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
	"golang.org/x/sys/unix"
)

// Device is a device on its way.
type Device struct {
	Name      string // in the runtime's namespace
	Index     uint32 // there
	Up        bool   // it was up there
	Master    uint32 // there: index of the bridge or bond that it is a port of; 0 for none
	Addresses []string
	Routes    []string
	NewName   string // in the container's namespace; a template (eth%d) until it is there
	NewIndex  uint32 // there
}

// Move is a set of devices and the two namespaces.
type Move struct {
	Devices []Device

	own, target         *os.File // namespaces
	ownConn, targetConn *conn
	moved               int // so many of the devices have left
}

func field(name string) string { return fmt.Sprintf("linux.netDevices[%q]", name) }

// Prepare finds the devices and says what is about to happen to them, and
// makes no change. target is the path of the container's network namespace.
// The caller has to call Close.
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

// Missing are the devices that the container's network namespace, target, has
// not got yet: what was moved into one that outlives the container is there when
// it is restored.
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

// lacking are the devices that are not among those which are there.
func lacking(devices map[string]specs.LinuxNetDevice, there []link) map[string]specs.LinuxNetDevice {
	missing := maps.Clone(devices)
	for name, d := range devices {
		if slices.ContainsFunc(there, func(l link) bool { return matches(l.name, cmp.Or(d.Name, name)) }) {
			delete(missing, name)
		}
	}
	return missing
}

// find looks at a device.
func (m *Move) find(name, newName string) (d Device, err error) {
	l, err := m.ownConn.byName(name)
	if errors.Is(err, unix.ENODEV) {
		return d, fmt.Errorf("there is no such network device: %w", unix.ENODEV)
	}
	if err != nil {
		return d, err
	}
	if newName == "" {
		newName = l.name // the device may have been found by an alternative one
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

// place chooses the index that the device gets among those of the container's
// namespace: its own if that is free. It is how a device is found when the
// kernel has chosen its name.
func (d *Device) place(taken *[]link) error {
	var highest uint32
	d.NewIndex = d.Index
	for _, l := range *taken {
		if l.name == d.NewName {
			return fmt.Errorf("the container's network namespace has a device named %s: %w", d.NewName, unix.EEXIST)
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

// open opens the namespaces, and a socket in each.
func open(target string) (_ *Move, err error) {
	m := new(Move)
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	// The thread's: that of the process could be another.
	if m.own, err = sys.OpenNamespace("/proc/thread-self/ns/net"); err != nil {
		return nil, err
	}
	if m.target, err = sys.OpenNamespace(target); err != nil {
		return nil, err
	}
	if same, err := sys.IsFile(m.target, "/proc/thread-self/ns/net"); err != nil || same {
		if err == nil {
			err = errors.New("the container has the runtime's own network namespace: there is nowhere to move a device to")
		}
		return nil, err
	}
	if m.ownConn, err = dial(); err != nil {
		return nil, err
	}
	m.targetConn, err = m.dialTarget()
	return m, err
}

// dialTarget opens a socket in the container's namespace, which a thread has
// to visit for that.
func (m *Move) dialTarget() (*conn, error) {
	runtime.LockOSThread()
	if err := sys.Setns(m.target, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	c, err := dial()
	if back := sys.Setns(m.own, unix.CLONE_NEWNET); back != nil {
		return c, errors.Join(err, back) // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return c, err
}

// Close gives up the hold on the namespaces.
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

// Do moves the devices. After an error [Move.Undo] is to be called.
func (m *Move) Do() error {
	for i := range m.Devices {
		d := &m.Devices[i]
		m.moved = i + 1
		if err := m.one(d); err != nil {
			return fmt.Errorf("%s: %w", field(d.Name), err)
		}
	}
	return nil
}

func (m *Move) one(d *Device) error {
	if err := m.ownConn.move(d.Index, int(m.target.Fd()), d.NewName, d.NewIndex); err != nil {
		return fmt.Errorf("move it as %s: %w", d.NewName, err)
	}
	l, err := m.targetConn.byIndex(d.NewIndex)
	if err != nil {
		return err
	}
	if err := m.targetConn.set(d.Addresses, l, d.Name); err != nil {
		return err
	}
	if err := m.targetConn.up(l.index); err != nil {
		return fmt.Errorf("set it up: %w", err)
	}
	return nil
}

// set gives a device, which was named from, its addresses back.
func (c *conn) set(addresses []string, l link, from string) error {
	for _, a := range addresses {
		if err := c.do(address(a).request(l.index, from, l.name), nil); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add an address again: %w", err)
		}
	}
	return nil
}

// Undo moves back what has been moved, as it was: name, index, master,
// addresses, state, routes.
func (m *Move) Undo() error {
	var errs []error
	for i := m.moved - 1; i >= 0; i-- {
		d := &m.Devices[i]
		if err := m.back(d); err != nil {
			errs = append(errs, fmt.Errorf("%s: return it: %w", field(d.Name), err))
		}
	}
	m.moved = 0
	return errors.Join(errs...)
}

func (m *Move) back(d *Device) error {
	l, err := m.targetConn.byIndex(d.NewIndex)
	switch {
	case errors.Is(err, unix.ENODEV):
		return nil // it had not left
	case err != nil:
		return err
	case l.name != d.Name && !matches(l.name, d.NewName):
		return nil // nor had it, and another device has got the index
	}
	err = m.targetConn.move(l.index, int(m.own.Fd()), d.Name, d.Index)
	if errors.Is(err, unix.EBUSY) { // another device has got its index
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

// restore gives a device that is back what it had.
func (c *conn) restore(d *Device, l link) error {
	var err error
	if d.Master != 0 {
		err = c.enslave(l.index, d.Master)
	}
	err = errors.Join(err, c.set(d.Addresses, l, d.Name))
	if !d.Up {
		return err
	}
	return errors.Join(err, c.up(l.index), c.setRoutes(d.Routes, l.index))
}

// Recover undoes a move that was to be undone by a runtime which was killed.
// target is a path that leads to the container's network namespace still; what
// moved with a namespace that is gone is gone, too.
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

// matches tells whether name may have come of a template.
func matches(name, template string) bool {
	before, after, ok := strings.Cut(template, "%d")
	if !ok {
		return name == template
	}
	digits := strings.TrimSuffix(strings.TrimPrefix(name, before), after)
	return name == before+digits+after && digits != "" && strings.Trim(digits, "0123456789") == ""
}
