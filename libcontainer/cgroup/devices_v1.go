// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"slices"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"golang.org/x/sys/unix"
)

// v1's devices controller does not keep a list of rules. It allows or denies
// everything, with exceptions. A rule against an exception removes it only if both are
// for the same devices; a narrower one has no effect, and is no error. So the rules are
// first reduced to what the kernel can represent.

// v1Rules is the result of all rules: everything is allowed or denied, except for the
// exceptions, each of which is of one kind of device.
type v1Rules struct {
	allow      bool
	exceptions []rule
}

var errHole = fault.New(fault.NotSupported, "cgroup v1 does not support an exception to a part of an earlier rule")

// reduce applies rules in order. A user's rule that v1 cannot represent is an error; a
// built-in one is left out, which allows less.
func reduce(list []rule) (v1Rules, error) {
	var w v1Rules
	for i := range list {
		r := list[i]
		if r.everyAccess() {
			w = v1Rules{allow: r.allow}
			continue
		}
		for _, kind := range kinds(r.kind) {
			r.kind = kind
			if r.allow != w.allow {
				w.addException(r)
			} else if !w.removeAccess(r) && r.field != "" {
				return w, &FieldError{r.field, errHole}
			}
		}
	}
	w.exceptions = slices.DeleteFunc(w.exceptions, func(r rule) bool { return r.access == 0 })
	return w, nil
}

func kinds(kind byte) []byte {
	if kind == 'a' {
		return []byte{'b', 'c'}
	}
	return []byte{kind}
}

// addException adds an exception.
func (w *v1Rules) addException(r rule) {
	for i := range w.exceptions {
		if e := &w.exceptions[i]; e.kind == r.kind && e.major == r.major && e.minor == r.minor {
			e.access |= r.access
			return
		}
	}
	w.exceptions = append(w.exceptions, r)
}

// removeAccess removes r's access from the exceptions. If one of them is also for other
// devices than r, it changes nothing and returns false.
func (w *v1Rules) removeAccess(r rule) bool {
	for i := range w.exceptions {
		e := &w.exceptions[i]
		if e.access&r.access != 0 && e.overlaps(&r) && !r.covers(e) {
			return false
		}
	}
	for i := range w.exceptions {
		if e := &w.exceptions[i]; r.covers(e) {
			e.access &^= r.access
		}
	}
	return true
}

// limitDevicesV1 writes the rules to the files of the devices controller.
func (m *member) limitDevicesV1(list []rule) error {
	w, err := reduce(list)
	if err != nil {
		return err
	}
	d, err := openDir(m.path)
	if err != nil {
		return err
	}
	defer d.close()
	all, but := "devices.deny", "devices.allow"
	if w.allow {
		all, but = but, all
	}
	if err := d.write(all, "a"); err != nil {
		return &FieldError{"linux.resources.devices", err}
	}
	if len(w.exceptions) == 0 {
		return nil
	}
	fd, err := d.open(but, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for i := range w.exceptions {
		e := &w.exceptions[i]
		if err := writeTo(fd, d.path+"/"+but, e.String()); err != nil {
			return &FieldError{fieldOf(e), err}
		}
	}
	return nil
}

func fieldOf(r *rule) string {
	if r.field == "" {
		return "linux.resources.devices (built-in)"
	}
	return r.field
}
