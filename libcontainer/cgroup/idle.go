// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// The kernel refuses a weight for an idle cgroup, and resets the weight of a cgroup
// that becomes idle. So an update that names a weight ends idleness.

// leaveIdle adds cpu.idle = 0 to a change that names a weight but not cpu.idle, if the
// cgroup was idle (old).
func leaveIdle(old, named, merged *specs.LinuxResources) {
	if !namesWeight(named) || idleValue(named) != "" || idleValue(old) != "1" {
		return
	}
	none := int64(0)
	if merged.CPU == nil {
		merged.CPU, named.CPU = new(specs.LinuxCPU), new(specs.LinuxCPU)
	}
	if named.CPU == nil {
		named.CPU = new(specs.LinuxCPU)
	}
	merged.CPU.Idle, named.CPU.Idle = &none, &none
}

// checkIdle refuses a change that names a weight and makes the cgroup idle.
func checkIdle(named *specs.LinuxResources) error {
	if namesWeight(named) && idleValue(named) == "1" {
		return &FieldError{"linux.resources.cpu.idle", invalid("1 conflicts with cpu.shares: an idle cgroup has no CPU weight")}
	}
	return nil
}

func namesWeight(r *specs.LinuxResources) bool {
	if r.CPU != nil && r.CPU.Shares != nil {
		return true
	}
	return r.Unified["cpu.weight"] != "" || r.Unified["cpu.weight.nice"] != ""
}

// idleValue returns the value of cpu.idle in r: "1" or "0", or "" if there is none.
func idleValue(r *specs.LinuxResources) string {
	if value, ok := r.Unified["cpu.idle"]; ok {
		return strings.TrimSpace(value)
	}
	switch {
	case r.CPU == nil || r.CPU.Idle == nil:
		return ""
	case *r.CPU.Idle == 0:
		return "0"
	}
	return "1"
}
