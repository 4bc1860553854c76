// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// explained adds to the kernel's refusal of a value what this host has, if that can be
// the reason.
func explained(d dir, file string, err error) error {
	if open := (*os.PathError)(nil); errors.As(err, &open) && open.Op == "open" {
		return err // the value was not written
	}
	if has := thisHost.describe(d.path, file, err); has != "" {
		return fault.Hint(err, has)
	}
	return err
}

// noFile returns the error for a value whose file does not exist.
func noFile(d dir, file string) error {
	err := fault.New(fault.NotSupported, "the kernel does not provide "+file+" in "+d.path)
	return fault.Hint(err, thisHost.describe(d.path, file, unix.ENOENT))
}

// hostFacts reads facts about a host. Tests replace its functions.
type hostFacts struct {
	text func(path string) string  // contents of a file; "" if it cannot be read
	list func(dir string) []string // names in a directory; none if it cannot be read
}

var thisHost = hostFacts{
	text: func(path string) string {
		s, _ := sys.ReadText(path)
		return strings.TrimSpace(s)
	},
	list: func(dir string) []string {
		var names []string
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	},
}

// describe describes what the host has of the resource that a file limits, if err can
// mean that the value names one that it lacks.
func (l hostFacts) describe(dir, file string, err error) string {
	missing := errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EINVAL)
	controller, _, _ := strings.Cut(file, ".")
	switch {
	case file == "cpuset.cpus":
		return l.cpusOrNodes(dir, "CPUs", "cpuset.cpus.effective", "cpuset.effective_cpus", "/sys/devices/system/cpu/online")
	case file == "cpuset.mems":
		return l.cpusOrNodes(dir, "memory nodes", "cpuset.mems.effective", "cpuset.effective_mems", "/sys/devices/system/node/online")
	case controller == "hugetlb" && errors.Is(err, unix.ENOENT):
		return listHere("huge page sizes", l.pages(dir))
	case (controller == "io" || controller == "blkio") && byKey(file) && missing:
		return listHere("block devices", l.disks())
	case controller == "rdma" && missing:
		return listHere("RDMA devices", l.list("/sys/class/infiniband"))
	case file == "net_prio.ifpriomap" && missing:
		return listHere("network devices", l.list("/sys/class/net"))
	case (file == "cpu.max" || strings.HasPrefix(file, "cpu.cfs_")) && errors.Is(err, unix.EINVAL):
		return "the quota must be at least 1000 microseconds, the period between 1000 and 1000000, and the share of a CPU at most that of the parent cgroup"
	}
	return ""
}

// cpusOrNodes lists the CPUs or nodes of the parent cgroup, or else those of the host.
func (l hostFacts) cpusOrNodes(dir, what string, v2, v1, host string) string {
	for _, file := range [...]string{path.Join(dir, "..", v2), path.Join(dir, "..", v1), host} {
		if s := l.text(file); s != "" {
			return listHere(what, []string{s})
		}
	}
	return ""
}

// pages returns the sizes of huge pages that the cgroup has files for.
func (l hostFacts) pages(dir string) (sizes []string) {
	for _, name := range l.list(dir) {
		parts := strings.Split(name, ".")
		if len(parts) > 2 && parts[0] == "hugetlb" && !slices.Contains(sizes, parts[1]) {
			sizes = append(sizes, parts[1])
		}
	}
	slices.Sort(sizes)
	return sizes
}

// disks lists the block devices that are not partitions, loop devices or RAM disks,
// with number and name: "8:0 sda".
func (l hostFacts) disks() (all []string) {
	for _, name := range l.list("/sys/block") {
		number := l.text("/sys/block/" + name + "/dev")
		if number != "" && !strings.HasPrefix(name, "loop") && !strings.HasPrefix(name, "ram") {
			all = append(all, number+" "+name)
		}
	}
	return all
}

// mostListed is how many devices are listed.
const mostListed = 8

func listHere(what string, names []string) string {
	switch {
	case len(names) == 0:
		return "no " + what + " are available"
	case len(names) > mostListed:
		return fmt.Sprintf("available %s: %s and %d more", what, strings.Join(names[:mostListed], ", "), len(names)-mostListed)
	}
	return "available " + what + ": " + strings.Join(names, ", ")
}
