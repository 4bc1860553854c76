// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// access is a set of kinds of access to a device: the kernel's BPF_DEVCG_ACC_*.
type access uint32

const (
	mknod access = 1 << iota
	read
	write

	full = mknod | read | write
)

func (a access) String() string {
	var s string
	if a&read != 0 {
		s += "r"
	}
	if a&write != 0 {
		s += "w"
	}
	if a&mknod != 0 {
		s += "m"
	}
	return s
}

const wildcard = -1 // of major and minor numbers

// rule allows or denies access to devices. For each device and kind of access the last
// rule that matches decides.
type rule struct {
	allow        bool
	kind         byte // 'a' (both), 'b' or 'c'
	major, minor int64
	access       access
	field        string // JSON path; empty for a built-in rule
}

// everyAccess reports whether the rule matches every access, so that earlier rules have
// no effect.
func (r *rule) everyAccess() bool {
	return r.allDevices() && r.access == full
}

// allDevices reports whether the rule matches every device.
func (r *rule) allDevices() bool {
	return r.kind == 'a' && r.major == wildcard && r.minor == wildcard
}

// covers reports whether r matches every device that o matches; o is of one kind, 'b'
// or 'c'.
func (r *rule) covers(o *rule) bool {
	return (r.kind == 'a' || r.kind == o.kind) &&
		(r.major == wildcard || r.major == o.major) && (r.minor == wildcard || r.minor == o.minor)
}

// overlaps reports whether a device can match both rules.
func (r *rule) overlaps(o *rule) bool {
	return (r.kind == 'a' || o.kind == 'a' || r.kind == o.kind) &&
		(r.major == wildcard || o.major == wildcard || r.major == o.major) &&
		(r.minor == wildcard || o.minor == wildcard || r.minor == o.minor)
}

// String formats the rule for v1's devices.allow and devices.deny: "c 1:3 rwm".
func (r rule) String() string {
	return fmt.Sprintf("%c %s:%s %s", r.kind, number(r.major), number(r.minor), r.access)
}

func number(n int64) string {
	if n == wildcard {
		return "*"
	}
	return strconv.FormatInt(n, 10)
}

// deviceRules returns all device rules of a container: everything is denied, except what
// linux.resources.devices allows, in its order, and the built-in devices. That holds
// without resources too: a runtime that applied no rules then gave containers all
// devices of the host (GHSA-g54h-m393-cpwq).
func deviceRules(r *specs.LinuxResources) ([]rule, error) {
	list := []rule{{kind: 'a', major: wildcard, minor: wildcard, access: full}}
	if r != nil {
		for i := range r.Devices {
			one, err := userRule(&r.Devices[i], fmt.Sprintf("linux.resources.devices[%d]", i))
			if err != nil {
				return nil, err
			}
			if one.access != 0 {
				list = append(list, one)
			}
		}
	}
	user := list[1:]
	for _, b := range builtIn() {
		if !deniedByName(user, &b) {
			list = append(list, b)
		}
	}
	return list, nil
}

func userRule(d *specs.LinuxDeviceCgroup, field string) (rule, error) {
	r := rule{allow: d.Allow, field: field}
	var err error
	if r.kind, err = deviceKind(d.Type); err != nil {
		return r, &FieldError{field + ".type", err}
	}
	if r.major, err = deviceNumber(d.Major); err != nil {
		return r, &FieldError{field + ".major", err}
	}
	if r.minor, err = deviceNumber(d.Minor); err != nil {
		return r, &FieldError{field + ".minor", err}
	}
	if r.access, err = deviceAccess(d.Access, d.Allow); err != nil {
		return r, &FieldError{field + ".access", err}
	}
	return r, nil
}

func deviceKind(t string) (byte, error) {
	switch t {
	case "", "a":
		return 'a', nil
	case "b":
		return 'b', nil
	case "c", "u":
		return 'c', nil
	}
	return 0, invalid("must be a, b or c, not %q", t)
}

func deviceNumber(n *int64) (int64, error) {
	switch {
	case n == nil || *n == wildcard:
		return wildcard, nil
	case *n < 0 || *n > 1<<32-1:
		return 0, invalid("must be between 0 and 4294967295, or -1 for any, not %d", *n)
	}
	return *n, nil
}

// deviceAccess reads r, w and m in any order, and ignores other letters, as all
// runtimes do: a device has no such access. A rule that thereby allows nothing is
// harmless, but one that denies nothing is an error.
func deviceAccess(s string, allow bool) (a access, err error) {
	for _, c := range s {
		switch c {
		case 'r':
			a |= read
		case 'w':
			a |= write
		case 'm':
			a |= mknod
		}
	}
	switch {
	case s == "":
		return 0, invalid("must not be empty")
	case a == 0 && !allow:
		return 0, invalid("must contain r, w or m, not %q, which denies nothing", s)
	}
	return a, nil
}

// builtIn returns the rules that every runtime adds after the user's: any device node
// may be made, and the devices that the specification requires in /dev
// (config-linux.md, "Default Devices"), terminals and tun may be used.
func builtIn() [10]rule {
	return [...]rule{
		{allow: true, kind: 'c', major: 1, minor: 3, access: full},          // null
		{allow: true, kind: 'c', major: 1, minor: 5, access: full},          // zero
		{allow: true, kind: 'c', major: 1, minor: 7, access: full},          // full
		{allow: true, kind: 'c', major: 1, minor: 8, access: full},          // random
		{allow: true, kind: 'c', major: 1, minor: 9, access: full},          // urandom
		{allow: true, kind: 'c', major: 5, minor: 0, access: full},          // tty
		{allow: true, kind: 'c', major: 5, minor: 2, access: full},          // ptmx
		{allow: true, kind: 'c', major: 136, minor: wildcard, access: full}, // pts
		{allow: true, kind: 'c', major: 10, minor: 200, access: full},       // net/tun
		// The last rule, which the v2 program checks first: it decides mknod once, for
		// all devices, so that the other rules need not.
		{allow: true, kind: 'a', major: wildcard, minor: wildcard, access: mknod},
	}
}

// deniedByName reports whether the last of the user's rules for exactly this device
// denies it; the built-in rule would allow it again.
func deniedByName(user []rule, b *rule) bool {
	if b.major == wildcard || b.minor == wildcard {
		return false
	}
	denied := false
	for i := range user {
		r := &user[i]
		if r.major == b.major && r.minor == b.minor && r.covers(b) {
			denied = !r.allow
		}
	}
	return denied
}
