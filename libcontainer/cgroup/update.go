// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/undo"
	"golang.org/x/sys/unix"
)

// Change describes an update of the resources of a group in use.
type Change struct {
	Old   *specs.LinuxResources // the resources in effect; may be nil
	Named *specs.LinuxResources // the values to change; see [Merge]
	Force bool                  // set a memory limit below the usage, even if the kernel kills processes for it
	// Rootless: the caller does not have root's privileges on the host. Device rules
	// that it may not set are ignored, as when the group was made.
	Rootless bool
}

// update is the state of one [Group.Update].
type update struct {
	*Group
	old, merged *specs.LinuxResources
	named       *specs.LinuxResources // the values to write: see leaveIdle and addCompanions
	force       bool
	undo        *undo.Stack
}

// dirSettings is what an update writes to one directory.
type dirSettings struct {
	d    dir
	list []setting
}

// Update changes limits, and returns the resources in effect afterwards. It reads back
// every value that it writes. It pushes an action that restores the previous value on u
// for each write; the caller unwinds u, after an error of Update too.
//
// All errors that can be found before anything is written are returned together, as
// [Faults].
func (g *Group) Update(c *Change, u *undo.Stack) (*specs.LinuxResources, error) {
	m := Merge(c.Old, c.Named, g.legacy("memory") == nil)
	up := &update{Group: g, old: strip(c.Old), merged: m, named: strip(c.Named), force: c.Force, undo: u}
	g.rootless = c.Rootless
	leaveIdle(up.old, up.named, m)
	addCompanions(up.named, m)
	g.resources = up.named
	changes, err := up.prepare()
	for i := range changes {
		defer changes[i].d.close()
	}
	if err != nil {
		return nil, err
	}
	for i := range changes {
		if err := up.write(&changes[i]); err != nil {
			return nil, err
		}
	}
	if err := up.replaceDevices(); err != nil {
		return nil, err
	}
	up.forgetUnified(changes)
	return m, nil
}

// prepare collects all settings, and opens the directories to write them to.
func (u *update) prepare() ([]dirSettings, error) {
	var changes []dirSettings
	var faults Faults
	take := func(s *dirSettings, err error) {
		if s != nil {
			changes = append(changes, *s)
		}
		faults.add(err)
	}
	faults.add(checkIdle(u.named))
	for _, c := range controllers() {
		take(u.prepareController(&c))
	}
	if u.named.Devices != nil {
		_, err := deviceRules(u.named)
		faults.add(err)
	}
	for _, key := range unifiedKeys(u.named) {
		take(u.prepareKey(key))
	}
	return changes, faults.err()
}

func (u *update) prepareController(c *controller) (*dirSettings, error) {
	m := u.legacy(c.legacy)
	list, err := c.values(u.named, m == nil)
	if err != nil {
		return nil, err
	}
	if c.name == "memory" && m != nil {
		if p := u.named.Memory; p != nil && p.DisableOOMKiller != nil && !*p.DisableOOMKiller {
			list = append(list, setting{field: "memory.disableOOMKiller", file: "memory.oom_control", value: "0"})
		}
	}
	list = append(dropped(c.name, u.old, u.named, m == nil), list...)
	if len(list) == 0 {
		return nil, nil
	}
	if m == nil {
		m = u.unified()
	}
	if m == nil {
		return nil, u.missing(list, c.name)
	}
	return u.open(m, c.name, list)
}

// prepareKey prepares a key of linux.resources.unified.
func (u *update) prepareKey(key string) (*dirSettings, error) {
	field := fmt.Sprintf("unified[%q]", key)
	if err := checkKey(key); err != nil {
		return nil, &FieldError{"linux.resources." + field, err}
	}
	m := u.unified()
	if m == nil {
		return nil, u.unifiedMissing([]string{key})
	}
	list := unifiedSettings(u.named, key)
	controller, _, _ := strings.Cut(key, ".")
	return u.open(m, controller, list)
}

// open opens the directory for settings of a controller, after enabling a v2 controller
// that was not needed before.
func (u *update) open(m *member, controller string, list []setting) (*dirSettings, error) {
	field := list[0].field
	d, err := openDir(m.path)
	if err != nil {
		return nil, &FieldError{"linux.resources." + field, err}
	}
	if m.unified() && controller != "cgroup" {
		ok, err := false, u.enableLate(m, d, controller)
		if err == nil {
			ok, err = u.limitable(d, controller, list)
		}
		if err != nil || !ok {
			d.close()
			return nil, err
		}
	}
	return &dirSettings{d, list}, nil
}

func (u *update) enableLate(m *member, d dir, controller string) error {
	have, err := d.read("cgroup.controllers")
	if err != nil || hasField(have, controller) {
		return err
	}
	if m.mount == "" {
		all, err := hierarchies()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(h hierarchy) bool {
			return h.unified() && strings.HasPrefix(m.path, h.mount+"/")
		})
		if i < 0 {
			return nil // limitable reports the missing controller
		}
		m.mount = all[i].mount
	}
	return u.enable(m, d)
}

// write writes the settings of one directory, in an order that the kernel accepts, and
// reads them back.
func (u *update) write(s *dirSettings) error {
	return applyAll(s.list, func(one *setting) error { return u.writeOne(s.d, one) })
}

// writeOne writes one setting, pushes the action that undoes it, and reads it back.
func (u *update) writeOne(d dir, s *setting) error {
	before, err := d.undoValue(s)
	switch {
	case errors.Is(err, unix.ENOENT) && s.fallback != nil:
		return u.writeOne(d, s.fallback)
	case errors.Is(err, unix.ENOENT) && (s.optional && !s.unified || s.drop):
		return nil
	case errors.Is(err, unix.ENOENT):
		return noFile(d, s.file)
	case err != nil:
		return err
	}
	weight := u.weightBeforeIdle(d, s, before)
	restore := func() {}
	if s.file == "memory.max" {
		if restore, err = u.makeRoom(d, s.value); err != nil {
			return err
		}
	}
	err = d.write(s.file, s.value)
	restore()
	if s.drop && (errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO)) {
		return nil // the device is gone, and its limit with it
	}
	if err != nil {
		return u.explain(d, s, err)
	}
	u.undo.Push(u.undoWrite(d.path, s, before, weight))
	return d.check(s)
}

// explain adds the reason to the kernel's refusal of a value. For a memory limit of v1
// that is the usage, or the other one of memory.limit and memory.swap.
func (u *update) explain(d dir, s *setting, err error) error {
	if s.file != "memory.limit_in_bytes" && s.file != "memory.memsw.limit_in_bytes" {
		return explained(d, s.file, err)
	}
	if errors.Is(err, unix.EBUSY) {
		used, _ := d.read(strings.Replace(s.file, ".limit_", ".usage_", 1))
		return fmt.Errorf("%s bytes are in use, and the kernel cannot reclaim enough of them to get below %s: %w", used, s.value, err)
	}
	if m := u.merged.Memory; errors.Is(err, unix.EINVAL) && value(m.Swap) > 0 && value(m.Limit) > value(m.Swap) {
		return fmt.Errorf("%d must not exceed memory.swap, %d, which is the limit of memory and swap together: %w", *m.Limit, *m.Swap, err)
	}
	return err
}

// undoWrite returns the action that sets a file back to its previous value; it writes
// nothing if that is not known ("").
func (u *update) undoWrite(path string, s *setting, before string, weight *setting) func() error {
	field, file := s.field, s.file
	return func() error {
		d, err := openDir(path)
		if err != nil {
			return err
		}
		defer d.close()
		switch before {
		case "": // the previous value is not known
		case empty:
			err = d.write(file, empty)
		default:
			err = d.writeLines(file, before)
		}
		if weight != nil && err == nil {
			err = d.write(weight.file, weight.value)
		}
		if err != nil {
			return fmt.Errorf("linux.resources.%s: the previous value cannot be restored: %w", field, err)
		}
		return nil
	}
}

// weightBeforeIdle returns the setting that restores the CPU weight, which the kernel
// resets when s makes the cgroup idle; nil if s does not.
func (u *update) weightBeforeIdle(d dir, s *setting, before string) *setting {
	if s.file != "cpu.idle" || before != "0" {
		return nil
	}
	w := &setting{file: "cpu.weight"}
	if u.legacy("cpu") != nil {
		w.file = "cpu.shares"
	}
	var err error
	if w.value, err = d.read(w.file); err != nil {
		return nil
	}
	return w
}

// replaceDevices replaces the device rules if they have changed.
func (u *update) replaceDevices() error {
	if u.named.Devices == nil || sameDevices(u.old.Devices, u.named.Devices) {
		return nil
	}
	was, err := deviceRules(u.old)
	if err != nil {
		return err
	}
	now, err := deviceRules(u.merged)
	if err != nil {
		return err
	}
	if u.Empty() && u.rootless {
		return nil
	}
	if m := u.legacy("devices"); m != nil {
		return m.replaceDevicesV1(was, now, u.undo)
	}
	if m := u.unified(); m != nil {
		err := m.replaceDevicesV2(now, u.undo)
		if u.rootless && errors.Is(err, unix.EPERM) {
			return nil // see limitDevices
		}
		return err
	}
	err = errNoDevices
	if u.Empty() {
		err = ErrNone
	}
	return &FieldError{"linux.resources.devices", err}
}

// forgetUnified removes from the merged resources those unified keys whose file another
// field has just set.
func (u *update) forgetUnified(changes []dirSettings) {
	for i := range changes {
		for _, s := range changes[i].list {
			if _, ok := u.named.Unified[s.file]; !ok && !s.unified && !byKey(s.file) {
				delete(u.merged.Unified, s.file)
			}
		}
	}
}
