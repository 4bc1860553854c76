package cgroup

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// setting is one value of linux.resources as the text for one cgroup file.
type setting struct {
	field string // JSON path below linux.resources, "cpu.quota"
	file  string
	value string

	// spare: nothing is lost when the kernel has no such file or the host no such
	// controller, since the value only takes away a limit that it cannot have.
	spare bool
	// drop: it takes a limit away, of a device that may be gone by now.
	drop bool
	// loose: of linux.resources.unified, whose files have any form.
	loose bool
	// instead is what to write when the kernel has no such file.
	instead *setting
}

// settings collects the values of one controller, and the fields that have
// none.
type settings struct {
	list   []setting
	faults Faults
}

func (s *settings) add(field, file, value string) *setting {
	s.list = append(s.list, setting{field: field, file: file, value: value})
	return &s.list[len(s.list)-1]
}

// addSpare is add; spare says that the value limits nothing.
func (s *settings) addSpare(field, file, value string, spare bool) {
	s.add(field, file, value).spare = spare
}

// firstLimit is the first setting that limits something, if any does.
func firstLimit(list []setting) (*setting, bool) {
	i := slices.IndexFunc(list, func(s setting) bool { return !s.spare && !s.drop })
	if i < 0 {
		return nil, false
	}
	return &list[i], true
}

// number adds a number that is given and not 0. 0 means that a value is not
// set wherever this is used, as engines send it.
func (s *settings) number(field, file string, v *uint64) {
	if v != nil && *v != 0 {
		s.add(field, file, strconv.FormatUint(*v, 10))
	}
}

// refuse makes field an error when it is given.
func (s *settings) refuse(given bool, field, why string) {
	if given {
		s.faults = append(s.faults, &FieldError{"linux.resources." + field, errors.New(why)})
	}
}

const (
	noV2 = "cgroup v2 has no such limit"
)

// controller knows the values of one controller: its name and its values in
// v2 and in v1. A nil function is a controller that does not exist there.
type controller struct {
	name, legacy string
	v2, v1       func(*specs.LinuxResources, *settings)
}

// controllers are in the order in which they are set.
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

// values are c's settings for v2, or v1.
func (c *controller) values(r *specs.LinuxResources, v2 bool) ([]setting, error) {
	var s settings
	switch {
	case r == nil:
	case v2 && c.v2 != nil:
		c.v2(r, &s)
	case v2:
		c.v1(r, &s)
		for _, w := range s.list {
			s.refuse(!w.spare, w.field, noV2)
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
	slices.Sort(keys) // the same order in each run
	return keys
}

// unifiedSettings are the writes of a key of linux.resources.unified: one for
// each line.
func unifiedSettings(r *specs.LinuxResources, key string) []setting {
	var list []setting
	for line := range strings.SplitSeq(strings.TrimRight(r.Unified[key], "\n"), "\n") {
		list = append(list, setting{field: fmt.Sprintf("unified[%q]", key), file: key, value: line,
			loose: true, spare: noLimit(key, line)})
	}
	return list
}

// noLimit tells whether a line takes limits away from a file of a controller
// that we know: "max", "8:0 rbps=max wbps=max", "mlx4_0 hca_handle=max".
func noLimit(key, line string) bool {
	switch name, _, _ := strings.Cut(key, "."); name {
	case "cpu", "cpuset", "memory", "pids", "io", "hugetlb", "rdma", "misc", "dmem":
	default:
		return false
	}
	device, limits, ok := strings.Cut(strings.TrimSpace(line), " ")
	if !ok {
		return device == "max"
	}
	return limits == "max" || strings.Contains(limits, "=") && none(limits)
}

// checkKey checks that a key of linux.resources.unified is the name of a
// controller's file, not a path.
func checkKey(key string) error {
	name, file, ok := strings.Cut(key, ".")
	if !ok || name == "" || file == "" || strings.ContainsAny(key, "/\x00") {
		return errors.New("must be a file name of the form CONTROLLER.PARAMETER")
	}
	return nil
}
