// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// Limit applies the group's resources and its device rules. Call it after
// [Group.Create], and before any process of the container runs. What the host cannot do
// is an error, a [FieldError], and never left out silently. A pids limit also counts
// processes that are in the cgroup already.
func (g *Group) Limit() error {
	if err := g.limitControllers(); err != nil {
		return err
	}
	if err := g.limitDevices(); err != nil {
		return err
	}
	return g.limitUnified()
}

func (g *Group) limitControllers() error {
	for _, c := range controllers() {
		if err := g.limitBy(&c); err != nil {
			return err
		}
	}
	return nil
}

// limitBy sets the values of one controller in the hierarchy that it is in: its v1
// hierarchy or the unified one.
func (g *Group) limitBy(c *controller) error {
	m := g.legacy(c.legacy)
	list, err := c.values(g.resources, m == nil)
	if err != nil || len(list) == 0 {
		return err
	}
	if m == nil {
		m = g.unified()
	}
	if m == nil {
		return g.missing(list, c.name)
	}
	d, err := openDir(m.path)
	if err != nil {
		return err
	}
	defer d.close()
	if m.unified() {
		if ok, err := g.limitable(d, c.name, list); !ok || err != nil {
			return err
		}
	}
	return apply(d, list)
}

// limitable reports whether the v2 cgroup d can set the values of a controller. It
// returns false without an error if the cgroup lacks the controller and none of the
// values is a limit.
func (g *Group) limitable(d dir, controller string, list []setting) (bool, error) {
	have, err := d.read("cgroup.controllers")
	if err != nil {
		return false, err
	}
	if !hasField(have, controller) {
		return false, g.missing(list, controller)
	}
	if controller == "memory" {
		return true, g.checkUsage(d)
	}
	return true, nil
}

// missing returns the error for settings whose controller is missing; nil if they only
// remove limits.
func (g *Group) missing(list []setting, controller string) error {
	first, ok := firstLimit(list)
	if !ok {
		return nil
	}
	err := fault.New(fault.NoCgroup, "the "+controller+" cgroup controller is not available to this container")
	if g.Empty() {
		err = g.none()
	}
	if why := g.refused[controller]; why != nil {
		err = fmt.Errorf("%w: %w", err, why)
	}
	return &FieldError{"linux.resources." + first.field, err}
}

// none returns why the group has no cgroup.
func (g *Group) none() error {
	if g.disabled {
		return fmt.Errorf("%w: the cgroup manager is disabled", ErrNone)
	}
	return fault.Hint(fmt.Errorf("%w: its user is not allowed to create one", ErrNone), Delegation)
}

func apply(d dir, list []setting) error {
	return applyAll(list, func(s *setting) error { return s.apply(d) })
}

// applyAll writes a controller's settings. Some depend on each other (burst and quota,
// memory and swap, period and runtime), and the order that works depends on the present
// values. So those that fail are tried again, as long as others succeed.
func applyAll(list []setting, write func(*setting) error) error {
	for {
		var failed []setting
		var first error
		for _, s := range list {
			err := write(&s)
			if err == nil {
				continue
			}
			if first == nil {
				first = &FieldError{"linux.resources." + s.field, err}
			}
			failed = append(failed, s)
		}
		if len(failed) == 0 || len(failed) == len(list) {
			return first
		}
		list = failed
	}
}

// kernelMemory is the file of a limit that Linux 5.16 abolished: later kernels refuse a
// write to it or ignore it, so the value is read back.
const kernelMemory = "memory.kmem.limit_in_bytes"

func (s *setting) apply(d dir) error {
	err := d.write(s.file, s.value)
	switch {
	case err == nil && s.file == kernelMemory:
		return d.check(s)
	case err == nil:
		return nil
	case !errors.Is(err, unix.ENOENT):
		return explained(d, s.file, err)
	case s.fallback != nil:
		trace.Say("the kernel has no %s: %s is written", s.file, s.fallback.file)
		return s.fallback.apply(d)
	case s.optional:
		trace.Say("the kernel has no %s: %s is not set", s.file, s.field)
		return nil
	}
	return noFile(d, s.file)
}

// checkUsage refuses a memory limit that is not above the present usage, if
// memory.checkBeforeUpdate is set. v2 would kill processes instead; v1 refuses such a
// limit itself.
func (g *Group) checkUsage(d dir) error {
	m := g.resources.Memory
	if m == nil || m.CheckBeforeUpdate == nil || !*m.CheckBeforeUpdate {
		return nil
	}
	s, err := d.read("memory.current")
	if err != nil {
		return err
	}
	used, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return fmt.Errorf("%s/memory.current: %w", d.path, err)
	}
	for _, l := range [...]struct {
		field, what string
		limit       int64
	}{{"limit", "memory", value(m.Limit)}, {"swap", "memory+swap", value(m.Swap)}} {
		if l.limit > 0 && l.limit <= used {
			return &FieldError{"linux.resources.memory." + l.field, fmt.Errorf("rejecting %s limit %d: must be greater than the usage, %d", l.what, l.limit, used)}
		}
	}
	return nil
}

func (g *Group) limitDevices() error {
	list, err := deviceRules(g.resources)
	if err != nil || g.Empty() && (g.rootless || g.disabled) {
		return err
	}
	if m := g.legacy("devices"); m != nil {
		return m.limitDevicesV1(list)
	}
	if m := g.unified(); m != nil {
		err := m.limitDevicesV2(list)
		if g.rootless && errors.Is(err, unix.EPERM) {
			// Without root's privileges on the host the program cannot be loaded; but
			// then the container can use only devices that the host's user may use.
			trace.Say("%v: devices are limited to those that this user may use", err)
			return nil
		}
		return err
	}
	return &FieldError{"linux.resources.devices", errNoDevices}
}

// limitUnified writes the values of linux.resources.unified, each line separately.
func (g *Group) limitUnified() error {
	keys := unifiedKeys(g.resources)
	if len(keys) == 0 {
		return nil
	}
	m := g.unified()
	if m == nil {
		return g.unifiedMissing(keys)
	}
	d, err := openDir(m.path)
	if err != nil {
		return err
	}
	defer d.close()
	for _, key := range keys {
		if err := g.limitKey(d, key); err != nil {
			return err
		}
	}
	return nil
}

// unifiedMissing returns the error for the first of the keys that sets a limit, on a
// host without cgroup v2; nil if all of them only remove limits.
func (g *Group) unifiedMissing(keys []string) error {
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return &FieldError{fmt.Sprintf("linux.resources.unified[%q]", key), err}
		}
		if _, limits := firstLimit(unifiedSettings(g.resources, key)); !limits {
			continue
		}
		err := fault.New(fault.NoCgroup, "the host has no cgroup v2")
		if g.Empty() {
			err = g.none()
		}
		return &FieldError{fmt.Sprintf("linux.resources.unified[%q]", key), err}
	}
	return nil
}

func (g *Group) limitKey(d dir, key string) error {
	field := fmt.Sprintf("unified[%q]", key)
	if err := checkKey(key); err != nil {
		return &FieldError{"linux.resources." + field, err}
	}
	if name, _, _ := strings.Cut(key, "."); name != "cgroup" {
		if ok, err := g.limitable(d, name, unifiedSettings(g.resources, key)); !ok || err != nil {
			return err
		}
	}
	err := d.writeLines(key, g.resources.Unified[key])
	if errors.Is(err, unix.ENOENT) {
		err = noFile(d, key)
	} else if err != nil {
		err = explained(d, key, err)
	}
	if err != nil {
		return &FieldError{"linux.resources." + field, err}
	}
	return nil
}
