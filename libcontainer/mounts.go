// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/launch"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/store"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/undo"
	"golang.org/x/sys/unix"
)

// AddMounts mounts l.Rootfs.Mounts in a container that was created and has not stopped,
// and appends raw, their form in config.json, to the mounts of its stored
// configuration. After an error none of them is mounted, but directories and files that
// were made as mount points stay.
func (c *Container) AddMounts(l *plan.Launch, raw []json.RawMessage) (err error) {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	r, err := c.mountRequest(l)
	if err != nil {
		return err
	}
	config, err := c.entry.Config()
	if err == nil {
		config, err = appendMounts(config, raw)
	}
	if err != nil {
		return err
	}
	var u undo.Stack
	defer u.Unwind(&err)
	r.Made = func(mounts []*os.File, fields []string) error { return c.recordMounts(r, mounts, fields, &u) }
	if err := r.Add(); err != nil {
		return err
	}
	return c.entry.ReplaceConfig(config)
}

// recordMounts records the mounts that are about to be attached, so that they can be
// removed even if the runtime is killed.
func (c *Container) recordMounts(r *launch.Mounts, mounts []*os.File, fields []string, u *undo.Stack) error {
	before := c.record.Mounts
	c.record.Mounts = slices.Clip(before)
	u.Push(func() error {
		c.record.Mounts = before
		return c.entry.Write(c.record)
	})
	var back []launch.Unmount
	for i, f := range mounts {
		m := r.Launch.Rootfs.Mounts[slices.IndexFunc(r.Launch.Rootfs.Mounts, func(m plan.Mount) bool { return m.Field == fields[i] })]
		back = append(back, launch.Unmount{Mount: f, Field: m.Field, Point: m.Destination})
		if i > 0 && fields[i] == fields[i-1] {
			continue // it is removed with the mount that it is on
		}
		id, err := sys.LastingMountID(f)
		if err != nil {
			return err
		}
		c.record.Mounts = append(c.record.Mounts, store.Mount{ID: id, Destination: m.Destination})
	}
	slices.Reverse(back)
	u.Push(func() error { return r.Remove(back, true) })
	return c.entry.Write(c.record)
}

// mountRequest returns the launch request for a change of mounts.
func (c *Container) mountRequest(l *plan.Launch) (*launch.Mounts, error) {
	status, err := c.Status()
	switch {
	case err != nil:
		return nil, err
	case status == Stopped || status == Creating:
		return nil, fmt.Errorf("%w: it is %s", ErrNotRunning, status)
	case c.record.Under != 0:
		return nil, fault.New(fault.NotSupported, "the container has no mount namespace of its own: the mounts would change on the host")
	}
	view, err := c.cgroupView(l)
	if err != nil {
		return nil, err
	}
	view.Namespace = c.record.Namespaces&unix.CLONE_NEWCGROUP != 0
	here := *l
	here.Namespaces = c.namespaces()
	return &launch.Mounts{Launch: &here, CgroupView: view, Scratch: c.host.Root, Warn: c.host.warn}, nil
}

// namespaces returns those namespaces of the first process that may matter for a mount.
func (c *Container) namespaces() (list []plan.Namespace) {
	const concerned = unix.CLONE_NEWUSER | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWCGROUP | unix.CLONE_NEWNS
	for _, n := range plan.NamespaceTypes {
		if c.record.Namespaces&concerned&n.Flag != 0 {
			list = append(list, plan.Namespace{Flag: n.Flag, Path: fmt.Sprintf("/proc/%d/ns/%s", c.record.Pid, n.File)})
		}
	}
	return list
}

// Destination is a mount to remove, named by its destination.
type Destination struct {
	Field string // JSON path of the entry, for errors
	Path  string // absolute and clean
}

// RemoveMounts unmounts mounts that [Container.AddMounts] has added: all, or none if
// one of them is not there. It never touches any other mount, whatever the destination
// leads to by now, so that the caller cannot remove, for example, a mask of
// config.json.
func (c *Container) RemoveMounts(l *plan.Launch, list []Destination) error {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	r, err := c.mountRequest(l)
	if err != nil {
		return err
	}
	picked, err := pickMounts(c.record.Mounts, list)
	if err != nil {
		return err
	}
	mounts, err := c.openMounts(picked, list)
	defer closeMounts(mounts)
	if err != nil {
		return err
	}
	config, err := c.entry.Config()
	if err != nil {
		return err
	}
	for i := len(picked) - 1; i >= 0; i-- {
		if config, err = dropMount(config, c.record.Mounts[picked[i]].Destination); err != nil {
			return err
		}
	}
	if err := r.Remove(mounts, false); err != nil {
		return err
	}
	for _, i := range picked { // from the last
		c.record.Mounts = slices.Delete(c.record.Mounts, i, i+1)
	}
	return errors.Join(c.entry.ReplaceConfig(config), c.entry.Write(c.record))
}

// pickMounts returns, for each destination, the index in added of the last mount that
// was added there. The indices descend, so that a mount is removed before the one that
// it is on.
func pickMounts(added []store.Mount, list []Destination) (picked []int, err error) {
	for _, d := range list {
		i := len(added) - 1
		for i >= 0 && added[i].Destination != d.Path {
			i--
		}
		switch {
		case i < 0:
			return nil, fault.With(fault.InvalidConfig, fmt.Errorf("%s: no mount was added at %s", d.Field, d.Path))
		case slices.Contains(picked, i):
			return nil, fault.With(fault.InvalidConfig, fmt.Errorf("%s: %s is listed more than once", d.Field, d.Path))
		}
		picked = append(picked, i)
	}
	for n, i := range picked {
		for j := i + 1; j < len(added); j++ {
			on := added[j].Destination
			if (on == added[i].Destination || strings.HasPrefix(on, added[i].Destination+"/")) && !slices.Contains(picked, j) {
				return nil, fault.With(fault.InvalidConfig, fmt.Errorf("%s: the mount on %s was added on top of it later, and must be removed first", list[n].Field, on))
			}
		}
	}
	slices.Sort(picked)
	slices.Reverse(picked)
	return picked, nil
}

// openMounts opens the mounts and checks that each is the one that was added.
func (c *Container) openMounts(picked []int, list []Destination) (mounts []launch.Unmount, err error) {
	root, err := sys.OpenPath(fmt.Sprintf("/proc/%d/root", c.record.Pid), unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for _, i := range picked {
		m := c.record.Mounts[i]
		field := list[slices.IndexFunc(list, func(d Destination) bool { return d.Path == m.Destination })].Field
		f, err := sys.OpenIn(root, m.Destination, unix.O_PATH)
		if err != nil {
			return mounts, fmt.Errorf("%s: %w", field, err)
		}
		mounts = append(mounts, launch.Unmount{Mount: f, Field: field, Point: m.Destination})
		id, err := sys.LastingMountID(f)
		if err != nil {
			return mounts, err
		}
		if id != m.ID {
			return mounts, fmt.Errorf("%s: %s in the container is not the mount that was added: %w", field, m.Destination, unix.EINVAL)
		}
	}
	return mounts, nil
}

func closeMounts(mounts []launch.Unmount) {
	for _, m := range mounts {
		m.Mount.Close()
	}
}

// appendMounts adds mounts to a configuration and changes nothing else.
func appendMounts(config []byte, added []json.RawMessage) ([]byte, error) {
	return changeMounts(config, func(list []json.RawMessage) ([]json.RawMessage, error) { return append(list, added...), nil })
}

// dropMount removes the last mount on destination from a configuration.
func dropMount(config []byte, destination string) ([]byte, error) {
	return changeMounts(config, func(list []json.RawMessage) ([]json.RawMessage, error) {
		for i := len(list) - 1; i >= 0; i-- {
			var m struct{ Destination string }
			if err := json.Unmarshal(list[i], &m); err != nil {
				return nil, err
			}
			if filepath.Join("/", m.Destination) == destination {
				return slices.Delete(list, i, i+1), nil
			}
		}
		return list, nil // the runtime was killed after it recorded the mount, and before it wrote the configuration
	})
}

func changeMounts(config []byte, change func([]json.RawMessage) ([]json.RawMessage, error)) ([]byte, error) {
	spec, err := parseObject(config)
	if err != nil {
		return nil, err
	}
	var list []json.RawMessage
	if raw := spec.get("mounts"); raw != nil {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
	}
	if list, err = change(list); err != nil {
		return nil, err
	}
	if err := spec.put("mounts", list); err != nil {
		return nil, err
	}
	return json.Marshal(spec)
}
