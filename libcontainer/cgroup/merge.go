package cgroup

import (
	"reflect"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Merge gives old with what change names: objects member by member, maps key
// by key, lists as a whole. Numbers that mean "not set" when they are 0 are
// not named. Neither argument is changed.
//
// With cgroup v2's memory controller the amount of swap stays when
// memory.limit alone changes, so memory.swap, which counts both, moves along.
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

// swapAfter is memory.swap after a change of memory.limit alone. Unlimited
// memory without a word on swap is unlimited swap.
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
		swap += limit // it was swap alone
	}
	if swap == 0 {
		return nil
	}
	return &swap
}

// overlay puts what from has over into, which are structs of one type.
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

// strip copies r without the numbers that say nothing.
func strip(r *specs.LinuxResources) *specs.LinuxResources {
	out := new(specs.LinuxResources)
	if r == nil {
		return out
	}
	overlay(reflect.ValueOf(out).Elem(), reflect.ValueOf(r).Elem())
	if c := out.CPU; c != nil {
		unset(&c.Shares)
		unset(&c.Period)
		unset(&c.Quota)
		unset(&c.RealtimePeriod)
		unset(&c.RealtimeRuntime)
	}
	if m := out.Memory; m != nil {
		for _, p := range [...]**int64{&m.Limit, &m.Swap, &m.Reservation, &m.Kernel, &m.KernelTCP} {
			unset(p)
		}
	}
	if b := out.BlockIO; b != nil {
		unset(&b.Weight)
		unset(&b.LeafWeight)
	}
	if n := out.Network; n != nil {
		unset(&n.ClassID)
	}
	return out
}

func unset[T comparable](p **T) {
	var zero T
	if *p != nil && **p == zero {
		*p = nil
	}
}

// companions adds to a change what the kernel takes in one value with it, or
// resets because of it.
func companions(named, merged *specs.LinuxResources) {
	if c := named.CPU; c != nil {
		if c.Quota != nil || c.Period != nil {
			c.Quota, c.Period = merged.CPU.Quota, merged.CPU.Period
		}
		if c.Idle != nil && *c.Idle == 0 {
			c.Shares = merged.CPU.Shares // lost when a cgroup became idle
		}
	}
	if m := named.Memory; m != nil {
		if m.Swap != nil {
			m.Limit = merged.Memory.Limit
		}
		m.CheckBeforeUpdate = merged.Memory.CheckBeforeUpdate
	}
}

// dropped are the settings that take away what the lists of old had and those
// of the change, which replace them, have not.
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
