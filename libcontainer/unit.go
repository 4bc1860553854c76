// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/systemd"
	"github.com/skiff-oci/skiff/libcontainer/undo"
	"golang.org/x/sys/unix"
)

// unit is the systemd unit of a container that is being created. It is nil if the
// cgroup is made without systemd.
type unit struct {
	systemd.Unit
	id         string
	manager    *systemd.Manager
	path       string // of the cgroup that it will have, below the mount point and with a leading slash
	properties []systemd.Property
	deferred   []systemd.Property // set by settle
	rootless   bool
	mayExist   bool // it may exist, and is ours
	foreseen   bool // a mount shows the cgroup by its path, so the directory must exist before the unit does
}

// newUnit finds out where systemd will put the container's cgroup. It makes nothing.
func (h *Host) newUnit(l *plan.Launch) (*unit, error) {
	u := &unit{Unit: systemd.Unit{Name: l.Cgroup.Unit, Slice: l.Cgroup.Slice}, id: l.ID, rootless: h.Rootless}
	u.foreseen = namespaceFlags(l)&unix.CLONE_NEWCGROUP == 0
	var err error
	if u.properties, err = systemd.Named(l.Cgroup.SystemdProps); err != nil {
		return nil, err
	}
	if u.manager, err = systemd.Dial(h.Rootless); err != nil {
		return nil, fmt.Errorf("--systemd-cgroup: %w", err)
	}
	top, err := u.manager.ControlGroup()
	if err != nil {
		u.Close()
		return nil, err
	}
	if err := u.manager.Free(u.Name); err != nil {
		u.Close()
		return nil, fmt.Errorf("linux.cgroupsPath: %w", err)
	}
	u.path = path.Join(top, u.Path())
	return u, nil
}

// Close closes the connection to systemd.
func (u *unit) Close() {
	if u != nil {
		u.manager.Close()
	}
}

// entered reports whether the container's first process must exist before its cgroup
// does: a scope is created around a process, a slice is not.
func (u *unit) entered() bool { return u != nil && !u.IsSlice() }

// create makes the group's cgroup, either at once or in the function that it returns,
// for [launch.Request].Enter. If at first the cgroup has other processes than the
// container's (crowded), all limits of the unit are set later, by settle.
func (u *unit) create(g *cgroup.Group, crowded bool, stack *undo.Stack) (enter func(pid int) error, err error) {
	if u == nil {
		if err := g.Create(); err != nil {
			return nil, err
		}
		stack.Push(func() error {
			if err := end(g); err != nil {
				return err
			}
			g.Withdraw()
			return nil
		})
		return nil, nil
	}
	if err := u.limit(g, crowded); err != nil {
		return nil, err
	}
	if u.foreseen && u.entered() {
		forget, err := g.Foresee()
		if err != nil {
			return nil, err
		}
		stack.Push(func() error {
			forget()
			return nil
		})
	}
	stack.Push(func() error { return u.end(g) })
	if u.entered() {
		return func(pid int) error { return u.start(g, pid) }, nil
	}
	return nil, u.start(g, 0)
}

// start creates the unit. Unless systemd answers that the name is taken, a unit of that
// name may be ours, even after an error.
func (u *unit) start(g *cgroup.Group, pid int) error {
	err := u.manager.Start(u.Unit, u.id, pid, u.properties)
	u.mayExist = !errors.Is(err, systemd.ErrExists)
	if err != nil {
		return fmt.Errorf("linux.cgroupsPath: %w", err)
	}
	if err := g.Descend(u.path, pid); err != nil {
		return err
	}
	return g.Adopt(pid)
}

// end undoes start.
func (u *unit) end(g *cgroup.Group) error {
	if !u.mayExist {
		return nil
	}
	if err := end(g); err != nil {
		return err
	}
	return u.manager.Stop(u.Name)
}

// limit determines all properties of the unit. First come the group's limits: systemd
// must know them, because a reload of systemd writes its own values again. Those that
// the configuration names follow, and win.
func (u *unit) limit(g *cgroup.Group, crowded bool) error {
	all, err := unitLimits(u.manager, u.Name, g, u.rootless)
	if err != nil {
		return err
	}
	if crowded {
		u.deferred = systemd.Settable(slices.Clone(all))
		all = slices.DeleteFunc(all, func(p systemd.Property) bool { return systemd.Has(u.deferred, p.Name) })
	}
	if i := slices.IndexFunc(all, isSingle); i >= 0 {
		// The first process may have to fork, and end then, which TasksMax=1 would not
		// allow.
		u.deferred = []systemd.Property{all[i]}
		all = slices.Delete(all, i, i+1)
	}
	if !systemd.Has(all, tasksMax) {
		// Otherwise systemd gives a scope its default, a share of the host's maximum.
		all = append(all, systemd.Unlimited(tasksMax))
	}
	named := u.properties
	u.deferred = slices.DeleteFunc(u.deferred, func(p systemd.Property) bool { return systemd.Has(named, p.Name) })
	u.properties = append(all, named...)
	return nil
}

// isSingle reports whether p limits the unit to one process.
func isSingle(p systemd.Property) bool { return p.Name == tasksMax && p.Value.Value() == uint64(1) }

// settle sets the deferred limits, once the container's processes, and no others, are
// in the unit.
func (u *unit) settle() error {
	if u == nil || len(u.deferred) == 0 {
		return nil
	}
	if err := u.manager.Set(u.Name, u.deferred); err != nil {
		return fmt.Errorf("linux.resources: %w", err)
	}
	return nil
}

const tasksMax = "TasksMax"

// unitLimits returns the group's limits as properties. The user's systemd cannot
// restrict devices, so it gets no device rules.
func unitLimits(m *systemd.Manager, unit string, g *cgroup.Group, rootless bool) ([]systemd.Property, error) {
	all, err := systemd.Limits(g.Files())
	if err == nil {
		all, err = m.Known(unit, all)
	}
	if err != nil || rootless {
		return all, err
	}
	nodes, err := g.AllowedDevices()
	if err != nil || nodes == nil {
		return all, err
	}
	devices := make([]systemd.Device, len(nodes))
	for i, n := range nodes {
		devices[i] = systemd.Device{Node: n[0], Access: n[1]}
	}
	return append(all, systemd.Devices(devices)...), nil
}

// updateUnit tells systemd about limits that have already been changed in the cgroup.
func (c *Container) updateUnit(g *cgroup.Group, old, merged *specs.LinuxResources, stack *undo.Stack) error {
	m, err := systemd.Dial(c.record.Unit.User)
	if err != nil {
		return err
	}
	defer m.Close()
	tell := func(m *systemd.Manager, r *specs.LinuxResources) error {
		of := g.With(r)
		properties, err := unitLimits(m, c.record.Unit.Name, of, c.record.Unit.User)
		if err != nil {
			return err
		}
		if err := m.Set(c.record.Unit.Name, systemd.Settable(properties)); err != nil {
			return err
		}
		return of.Restore()
	}
	stack.Push(func() error {
		m, err := systemd.Dial(c.record.Unit.User)
		if err != nil {
			return err
		}
		defer m.Close()
		return tell(m, old)
	})
	return tell(m, merged)
}

// attach returns, for [launch.Request].Enter, a function that moves a process into the
// container's unit by way of systemd. It returns nil if the caller can do that without
// systemd.
func (c *Container) attach(g *cgroup.Group, sub map[string]string) func(pid int) error {
	if c.record.Unit.Name == "" || g.Enterable() {
		return nil
	}
	return func(pid int) error {
		m, err := systemd.Dial(c.record.Unit.User)
		if err != nil {
			return err
		}
		defer m.Close()
		return m.Attach(c.record.Unit.Name, path.Join(belowUnit(c.record.Unit.Name, c.record.Cgroups[""]), sub[""]), pid)
	}
}

// belowUnit returns the part of a container's cgroup path below the cgroup of its unit.
func belowUnit(unit, cgroup string) string {
	_, below, _ := strings.Cut(cgroup+"/", "/"+unit+"/")
	return strings.TrimSuffix(below, "/")
}

// stopUnit stops the container's unit, if it has one. Its cgroup is empty by then.
func (c *Container) stopUnit() error {
	if c.record.Unit.Name == "" {
		return nil
	}
	m, err := systemd.Dial(c.record.Unit.User)
	if err != nil {
		return fmt.Errorf("stop %s: %w", c.record.Unit.Name, err)
	}
	defer m.Close()
	return m.Stop(c.record.Unit.Name)
}
