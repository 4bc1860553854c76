// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"reflect"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Merge returns old with the values of change in it: objects are merged member by
// member, maps key by key, and lists are replaced. A number for which 0 means "not set"
// is ignored if it is 0. Neither argument is changed.
//
// With cgroup v2's memory controller (v2), a change of memory.limit alone does not
// change the amount of swap; so memory.swap, which is memory and swap together, changes
// by the same amount.
func Merge(old, change *specs.LinuxResources, v2 bool) *specs.LinuxResources {
	named := strip(change)
	merged := new(specs.LinuxResources)
	overlay(reflect.ValueOf(merged).Elem(), reflect.ValueOf(strip(old)).Elem())
	overlay(reflect.ValueOf(merged).Elem(), reflect.ValueOf(named).Elem())
	if m := named.Memory; m != nil && m.Limit != nil && m.Swap == nil {
		merged.Memory.Swap = swapAfter(strip(old).Memory, merged.Memory, v2)
	}
	return merged
}

// swapAfter returns memory.swap after a change of memory.limit alone. If memory becomes
// unlimited, swap does too.
func swapAfter(old, merged *specs.LinuxMemory, v2 bool) *int64 {
	var swap, was int64
	if old != nil {
		swap, was = value(old.Swap), value(old.Limit)
	}
	switch limit := *merged.Limit; {
	case limit == -1:
		swap = -1
	case v2 && swap > 0 && was > 0:
		swap += limit - was
	case v2 && swap > 0:
		swap += limit // without a limit, memory.swap was swap alone
	}
	if swap == 0 {
		return nil
	}
	return &swap
}

// overlay sets the fields of into that are not zero in from. Both are structs of the
// same type.
func overlay(into, from reflect.Value) {
	for i := range from.NumField() {
		overlayValue(into.Field(i), from.Field(i))
	}
}

func overlayValue(into, from reflect.Value) {
	if from.IsZero() {
		return
	}
	switch {
	case from.Kind() == reflect.Pointer && from.Elem().Kind() == reflect.Struct:
		both := reflect.New(from.Type().Elem())
		if !into.IsNil() {
			overlay(both.Elem(), into.Elem())
		}
		overlay(both.Elem(), from.Elem())
		into.Set(both)
	case from.Kind() == reflect.Map:
		both := reflect.MakeMap(from.Type())
		for _, m := range []reflect.Value{into, from} {
			for _, k := range m.MapKeys() {
				v := reflect.New(from.Type().Elem()).Elem()
				if old := both.MapIndex(k); old.IsValid() {
					v.Set(old)
				}
				if v.Kind() == reflect.Struct {
					overlay(v, m.MapIndex(k))
				} else {
					v.Set(m.MapIndex(k))
				}
				both.SetMapIndex(k, v)
			}
		}
		into.Set(both)
	default:
		into.Set(from)
	}
}

// strip returns a copy of r without the numbers for which 0 means "not set", if they
// are 0.
func strip(r *specs.LinuxResources) *specs.LinuxResources {
	out := new(specs.LinuxResources)
	if r == nil {
		return out
	}
	overlay(reflect.ValueOf(out).Elem(), reflect.ValueOf(r).Elem())
	if c := out.CPU; c != nil {
		nilIfZero(&c.Shares)
		nilIfZero(&c.Period)
		nilIfZero(&c.Quota)
		nilIfZero(&c.RealtimePeriod)
		nilIfZero(&c.RealtimeRuntime)
	}
	if m := out.Memory; m != nil {
		for _, p := range [...]**int64{&m.Limit, &m.Swap, &m.Reservation, &m.Kernel, &m.KernelTCP} {
			nilIfZero(p)
		}
	}
	if b := out.BlockIO; b != nil {
		nilIfZero(&b.Weight)
		nilIfZero(&b.LeafWeight)
	}
	if n := out.Network; n != nil {
		nilIfZero(&n.ClassID)
	}
	return out
}

func nilIfZero[T comparable](p **T) {
	var zero T
	if *p != nil && **p == zero {
		*p = nil
	}
}

// addCompanions adds to the change named those values of merged that the kernel takes in
// one write with values of it, or that it resets because of them.
func addCompanions(named, merged *specs.LinuxResources) {
	if c := named.CPU; c != nil {
		if c.Quota != nil || c.Period != nil {
			c.Quota, c.Period = merged.CPU.Quota, merged.CPU.Period
		}
		if c.Idle != nil && *c.Idle == 0 {
			c.Shares = merged.CPU.Shares // the kernel reset it when the cgroup became idle
		}
	}
	if m := named.Memory; m != nil {
		if m.Swap != nil {
			m.Limit = merged.Memory.Limit
		}
		m.CheckBeforeUpdate = merged.Memory.CheckBeforeUpdate
	}
}

// dropped returns settings that remove the limits in the lists of old that are not in
// those of named, which replace them.
func dropped(controller string, old, named *specs.LinuxResources, v2 bool) []setting {
	var s settings
	switch controller {
	case "io":
		if old.BlockIO != nil && named.BlockIO != nil {
			s.droppedIO(old.BlockIO, named.BlockIO, v2)
		}
	case "hugetlb":
		if named.HugepageLimits == nil {
			break
		}
		s.droppedPages(old, named, v2)
	case "net_prio":
		if old.Network == nil || named.Network == nil || named.Network.Priorities == nil {
			break
		}
		kept := make(map[string]bool)
		for _, p := range named.Network.Priorities {
			kept[p.Name] = true
		}
		for _, p := range old.Network.Priorities {
			if !kept[p.Name] {
				s.drop("network.priorities", "net_prio.ifpriomap", p.Name+" 0")
			}
		}
	}
	return s.list
}

func (s *settings) drop(field, file, value string) *setting {
	w := s.add(field, file, value)
	w.drop = true
	return w
}
