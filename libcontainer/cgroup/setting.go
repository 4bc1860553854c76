// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/fault"
)

// setting is one value of linux.resources, as the text for one cgroup file.
type setting struct {
	field string // JSON path below linux.resources, "cpu.quota"
	file  string
	value string

	// optional: it is no error if the kernel has no such file or the host no such
	// controller, since the value only removes a limit that there cannot be.
	optional bool
	// drop: the value removes the limit of a device, which may not exist any more.
	drop bool
	// unified: the value is from linux.resources.unified, so the file may have any
	// format.
	unified bool
	// fallback is what to write if the kernel has no such file.
	fallback *setting
}

// settings collects the values of one controller, and the errors in fields.
type settings struct {
	list   []setting
	faults Faults
}

func (s *settings) add(field, file, value string) *setting {
	s.list = append(s.list, setting{field: field, file: file, value: value})
	return &s.list[len(s.list)-1]
}

// addOptional is add for a value that may set no limit (optional).
func (s *settings) addOptional(field, file, value string, optional bool) {
	s.add(field, file, value).optional = optional
}

// firstLimit returns the first setting that sets a limit, if there is one.
func firstLimit(list []setting) (*setting, bool) {
	i := slices.IndexFunc(list, func(s setting) bool { return !s.optional && !s.drop })
	if i < 0 {
		return nil, false
	}
	return &list[i], true
}

// addNumber adds a value unless it is nil or 0: engines send 0 for "not set" in the
// fields that use this.
func (s *settings) addNumber(field, file string, v *uint64) {
	if v != nil && *v != 0 {
		s.add(field, file, strconv.FormatUint(*v, 10))
	}
}

// refuse records an error in field if it is given.
func (s *settings) refuse(given bool, field, why string) {
	if given {
		code := fault.InvalidConfig
		if why == noV2 {
			code = fault.NotSupported
		}
		s.faults = append(s.faults, &FieldError{"linux.resources." + field, fault.New(code, why)})
	}
}

const noV2 = "not supported by cgroup v2"

// controller names a controller in v2 and in v1, and has the functions that collect its
// values. A nil function means that the controller does not exist in that version.
type controller struct {
	name, legacy string
	v2, v1       func(*specs.LinuxResources, *settings)
}

// controllers lists the controllers in the order in which their values are set.
func controllers() [9]controller {
	return [...]controller{
		{"cpuset", "cpuset", cpuset, cpuset},
		{"cpu", "cpu", cpuV2, cpuV1},
		{"memory", "memory", memoryV2, memoryV1},
		{"pids", "pids", pids, pids},
		{"io", "blkio", ioV2, blkioV1},
		{"hugetlb", "hugetlb", hugetlbV2, hugetlbV1},
		{"rdma", "rdma", rdma, rdma},
		{"net_cls", "net_cls", nil, netCls},
		{"net_prio", "net_prio", nil, netPrio},
	}
}

// values returns c's settings for v2 or v1. If v2 lacks the controller, each limit is
// an error.
func (c *controller) values(r *specs.LinuxResources, v2 bool) ([]setting, error) {
	var s settings
	switch {
	case r == nil:
	case v2 && c.v2 != nil:
		c.v2(r, &s)
	case v2:
		c.v1(r, &s)
		for _, w := range s.list {
			s.refuse(!w.optional, w.field, noV2)
		}
		s.list = nil
	default:
		c.v1(r, &s)
	}
	return s.list, s.faults.err()
}

func unifiedKeys(r *specs.LinuxResources) []string {
	if r == nil || len(r.Unified) == 0 {
		return nil
	}
	keys := make([]string, 0, len(r.Unified))
	for k := range r.Unified {
		keys = append(keys, k)
	}
	slices.Sort(keys) // a map has no order, but each run must use the same
	return keys
}

// unifiedSettings returns the settings for a key of linux.resources.unified, one for
// each line.
func unifiedSettings(r *specs.LinuxResources, key string) []setting {
	var list []setting
	for line := range strings.SplitSeq(strings.TrimRight(r.Unified[key], "\n"), "\n") {
		list = append(list, setting{field: fmt.Sprintf("unified[%q]", key), file: key, value: line,
			unified: true, optional: lineRemovesLimits(key, line)})
	}
	return list
}

// lineRemovesLimits reports whether a line for a file of a known controller only
// removes limits: "max", "8:0 rbps=max wbps=max", "mlx4_0 hca_handle=max".
func lineRemovesLimits(key, line string) bool {
	switch name, _, _ := strings.Cut(key, "."); name {
	case "cpu", "cpuset", "memory", "pids", "io", "hugetlb", "rdma", "misc", "dmem":
	default:
		return false
	}
	device, limits, ok := strings.Cut(strings.TrimSpace(line), " ")
	if !ok {
		return device == "max"
	}
	return limits == "max" || strings.Contains(limits, "=") && removesLimit(limits)
}

// checkKey refuses a key of linux.resources.unified that is not the name of a
// controller's file, such as a path.
func checkKey(key string) error {
	name, file, ok := strings.Cut(key, ".")
	if !ok || name == "" || file == "" || strings.ContainsAny(key, "/\x00") {
		return invalid("must be a file name of the form CONTROLLER.PARAMETER")
	}
	return nil
}
