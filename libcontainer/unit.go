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

// unit is the systemd unit of a container that is being made; nil: its cgroup
// is made without systemd.
type unit struct {
	systemd.Unit
	id         string
	manager    *systemd.Manager
	path       string // of the cgroup that it will have, absolute from the mount
	properties []systemd.Property
	late       []systemd.Property // see settle
	rootless   bool
	tried      bool // it may be there, and is ours
	seen       bool // a mount shows the cgroup by its path, before the unit is there
}

// newUnit finds out where systemd will put the container's cgroup.
func (h *Host) newUnit(l *plan.Launch) (*unit, error) {
	u := &unit{Unit: systemd.Unit{Name: l.Cgroup.Unit, Slice: l.Cgroup.Slice}, id: l.ID, rootless: h.Rootless}
	u.seen = namespaceFlags(l)&unix.CLONE_NEWCGROUP == 0
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

// Close ends the conversation with systemd.
func (u *unit) Close() {
	if u != nil {
		u.manager.Close()
	}
}

// entered tells that the container's first process has to be there before its
// cgroup is: a scope is made around a process.
func (u *unit) entered() bool { return u != nil && !u.IsSlice() }

// create makes the group's cgroup, now or with what it gives, for
// [launch.Request].Enter. If others than the container's processes are in it at
// first (crowded), all limits of the unit wait for settle.
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
	if u.seen && u.entered() {
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

// start makes the unit. Until systemd says that the name is another's, whatever
// has the name may be ours.
func (u *unit) start(g *cgroup.Group, pid int) error {
	err := u.manager.Start(u.Unit, u.id, pid, u.properties)
	u.tried = !errors.Is(err, systemd.ErrExists)
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
	if !u.tried {
		return nil
	}
	if err := end(g); err != nil {
		return err
	}
	return u.manager.Stop(u.Name)
}

// limit lays down all properties of the unit: the group's limits, so that they
// outlast a reload of systemd, which writes anew what it knows; then the ones
// that the configuration names, which win.
func (u *unit) limit(g *cgroup.Group, crowded bool) error {
	all, err := unitLimits(u.manager, u.Name, g, u.rootless)
	if err != nil {
		return err
	}
	if crowded {
		u.late = systemd.Settable(slices.Clone(all))
		all = slices.DeleteFunc(all, func(p systemd.Property) bool { return systemd.Has(u.late, p.Name) })
	}
	if i := slices.IndexFunc(all, isSingle); i >= 0 {
		// The first process may have to fork, and to end then.
		u.late = []systemd.Property{all[i]}
		all = slices.Delete(all, i, i+1)
	}
	if !systemd.Has(all, tasksMax) {
		// Without a word a scope has a part of what the host may have.
		all = append(all, systemd.Unlimited(tasksMax))
	}
	named := u.properties
	u.late = slices.DeleteFunc(u.late, func(p systemd.Property) bool { return systemd.Has(named, p.Name) })
	u.properties = append(all, named...)
	return nil
}

// isSingle tells of the limit of one process.
func isSingle(p systemd.Property) bool { return p.Name == tasksMax && p.Value.Value() == uint64(1) }

// settle sets the limits that had to wait until the container's processes, and
// no others, are in the unit.
func (u *unit) settle() error {
	if u == nil || len(u.late) == 0 {
		return nil
	}
	if err := u.manager.Set(u.Name, u.late); err != nil {
		return fmt.Errorf("linux.resources: %w", err)
	}
	return nil
}

const tasksMax = "TasksMax"

// unitLimits are the group's resources as properties. The user's systemd has no
// say over devices.
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

// updateUnit tells systemd of limits that have changed already.
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

// attach gives, for [launch.Request].Enter, what puts a process into the
// container's unit where its user may not; nil: it may.
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

// belowUnit is the part of a container's cgroup below that of its unit.
func belowUnit(unit, cgroup string) string {
	_, below, _ := strings.Cut(cgroup+"/", "/"+unit+"/")
	return strings.TrimSuffix(below, "/")
}

// stopUnit stops the container's unit, whose cgroup is empty.
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
