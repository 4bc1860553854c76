// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"github.com/skiff-oci/skiff/libcontainer/systemd/dbus"
)

// Property is a property of a unit, with the D-Bus signature (sv).
type Property struct {
	Name  string
	Value dbus.Variant
}

func onBus(list []Property) []dbus.Property {
	all := make([]dbus.Property, len(list))
	for i, p := range list {
		all[i] = dbus.Property(p)
	}
	return all
}

// unlimited is systemd's "infinity".
const unlimited = math.MaxUint64

// Limits converts values of cgroup v2 files, such as {"memory.max", "max"}, to the
// properties that systemd writes to these files. systemd would otherwise overwrite the
// values when it writes all files again (daemon-reload). Files that systemd does not
// write are left out.
func Limits(files [][2]string) ([]Property, error) {
	var all []Property
	hasWeight := slices.ContainsFunc(files, func(f [2]string) bool { return f[0] == "cpu.weight" })
	for _, f := range files {
		if f == [2]string{"cpu.idle", "0"} && !hasWeight {
			all = append(all, Unlimited("CPUWeight")) // systemd's default
			continue
		}
		more, err := limit(f[0], f[1])
		if err != nil {
			return nil, fmt.Errorf("systemd: %s %q: %w", f[0], f[1], err)
		}
		all = append(all, more...)
	}
	return all, nil
}

func limit(file, value string) ([]Property, error) {
	name := ""
	switch file {
	case "cpu.max":
		return quota(value)
	case "cpuset.cpus", "cpuset.mems":
		return cpus(file, value)
	case "cpu.idle":
		if value != "1" {
			return nil, nil
		}
		return []Property{{"CPUWeight", dbus.Uint64(0)}}, nil
	case "cpu.weight":
		name = "CPUWeight"
	case "io.weight":
		name = "IOWeight"
		if strings.Contains(strings.TrimPrefix(value, "default "), " ") {
			return nil, nil // of one device; systemd leaves devices alone that it has no weight for
		}
		value = strings.TrimPrefix(value, "default ")
	case "memory.min":
		name = "MemoryMin"
	case "memory.low":
		name = "MemoryLow"
	case "memory.high":
		name = "MemoryHigh"
	case "memory.max":
		name = "MemoryMax"
	case "memory.swap.max":
		name = "MemorySwapMax"
	case "memory.zswap.max":
		name = "MemoryZSwapMax"
	case "memory.oom.group":
		return []Property{{"OOMPolicy", dbus.String(oomPolicy(value))}}, nil
	case "pids.max":
		name = "TasksMax"
	default:
		return nil, nil
	}
	n, err := parseAmount(value)
	if err != nil {
		return nil, err
	}
	return []Property{{name, dbus.Uint64(n)}}, nil
}

// oomPolicy converts memory.oom.group to OOMPolicy=, which says what happens to the
// other processes of a unit when the OOM killer kills one (systemd.service(5)).
func oomPolicy(group string) string {
	if group == "1" {
		return "kill"
	}
	return "continue"
}

func parseAmount(s string) (uint64, error) {
	if s == "max" {
		return unlimited, nil
	}
	return strconv.ParseUint(s, 10, 64)
}

// quota converts cpu.max, "QUOTA PERIOD" in microseconds. systemd takes the quota in
// microseconds per second and rounds it to hundredths of a CPU. It is rounded up here
// first, so that a container does not get less than it asked for.
func quota(value string) ([]Property, error) {
	q, p, ok := strings.Cut(value, " ")
	period := uint64(100000)
	var err error
	if ok {
		if period, err = strconv.ParseUint(p, 10, 64); err != nil {
			return nil, err
		}
	}
	per, err := parseAmount(q)
	if err != nil {
		return nil, err
	}
	if per != unlimited {
		if period == 0 || per > math.MaxUint64/1000000 {
			return nil, strconv.ErrRange
		}
		per = (per*1000000 + period - 1) / period
		per = (per + 9999) / 10000 * 10000
	}
	return []Property{
		{"CPUQuotaPerSecUSec", dbus.Uint64(per)},
		{"CPUQuotaPeriodUSec", dbus.Uint64(period)},
	}, nil
}

// cpus converts a list such as "0-3,7" to a bit mask, lowest byte first.
func cpus(file, list string) ([]Property, error) {
	bits, err := proc.CPUList(list)
	if err != nil {
		return nil, err
	}
	if bits = bytes.TrimRight(bits, "\x00"); len(bits) == 0 {
		return nil, errors.New("must be a list such as 0-3,7")
	}
	name := "AllowedCPUs"
	if file == "cpuset.mems" {
		name = "AllowedMemoryNodes"
	}
	return []Property{{name, dbus.Bytes(bits)}}, nil
}

// Device allows access to devices. Node is the name in systemd's form, "/dev/char/1:3",
// or "char-136" for all devices of a major number; Access is a part of "rwm".
type Device struct{ Node, Access string }

// Devices returns the properties that allow the listed devices and no others.
func Devices(list []Device) []Property {
	pairs := make([][2]string, len(list))
	for i, d := range list {
		pairs[i] = [2]string{d.Node, d.Access}
	}
	return []Property{
		{"DevicePolicy", dbus.String("strict")},
		{"DeviceAllow", dbus.Pairs(pairs)},
	}
}

// Named parses properties, by name, from GVariant's text format: {"TasksMax": "uint64
// 7"}.
func Named(texts map[string]string) ([]Property, error) {
	var all []Property
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		v, err := dbus.Parse(texts[name])
		if err != nil {
			return nil, fmt.Errorf("systemd: property %s: %w", name, err)
		}
		all = append(all, Property{name, v})
	}
	return all, nil
}

// Known removes from limits the properties that this version of systemd does not know,
// or not for this type of unit. It modifies limits.
func (m *Manager) Known(unit string, limits []Property) ([]Property, error) {
	if !Has(limits, "OOMPolicy") && !Has(limits, "MemoryZSwapMax") {
		return limits, nil
	}
	v, err := m.property(object, manager, "Version", "the manager")
	if err != nil {
		return nil, err
	}
	known := version(v) >= 253
	return slices.DeleteFunc(limits, func(p Property) bool {
		switch p.Name {
		case "OOMPolicy":
			return !known || strings.HasSuffix(unit, ".slice")
		case "MemoryZSwapMax":
			return !known
		}
		return false
	}), nil
}

// Settable removes from limits the properties that can be set only when a unit is
// started. It modifies limits.
func Settable(limits []Property) []Property {
	return slices.DeleteFunc(limits, func(p Property) bool { return p.Name == "OOMPolicy" })
}

// version returns the first number of systemd's version, "257.9-1~deb13u1"; 0 if there
// is none.
func version(s string) int {
	s = strings.TrimPrefix(s, "v")
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(s)
	}
	n, _ := strconv.Atoi(s[:end])
	return n
}

// Has reports whether list has a property of that name.
func Has(list []Property, name string) bool {
	return slices.ContainsFunc(list, func(p Property) bool { return p.Name == name })
}

// Unlimited returns the property with the value "infinity".
func Unlimited(name string) Property {
	return Property{name, dbus.Uint64(unlimited)}
}
