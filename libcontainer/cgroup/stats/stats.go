// SPDX-License-Identifier: Apache-2.0

// Package stats reads resource usage from a container's cgroups: of each controller
// from the hierarchy that it is in, and pressure (PSI) from cgroup v2
// (Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst).
package stats

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
)

// Read returns the statistics of all controllers that the group has; they are empty if
// it has no cgroup. The error is fs.ErrNotExist if the cgroup does not exist any more.
func Read(g *cgroup.Group) (*Stats, error) {
	dirs := make(map[string]fs.FS)
	for controller, path := range g.Paths() {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("cgroup statistics: %w", err)
		}
		dirs[controller] = os.DirFS(path)
	}
	s, err := read(dirs)
	if err == nil && s.Pids.Current == 0 {
		// Without the pids controller, processes are counted instead of tasks.
		var pids []int
		pids, err = g.Pids()
		s.Pids.Current = uint64(len(pids))
	}
	if err != nil {
		return nil, fmt.Errorf("cgroup statistics: %w", err)
	}
	return s, nil
}

// controllers lists the functions that read each controller, from v1 and from v2.
func (s *Stats) controllers() []controller {
	return []controller{
		{"cpuacct", s.cpuacctV1, s.cpuacctV2},
		{"cpu", s.cpuV1, s.cpuV2},
		{"cpuset", s.cpusetV1, s.cpusetV2},
		{"memory", s.memoryV1, s.memoryV2},
		{"pids", s.pids, s.pids},
		{"blkio", s.blkioV1, s.blkioV2},
		{"hugetlb", s.hugetlbV1, s.hugetlbV2},
		{"rdma", s.rdma, s.rdma},
		{"misc", s.misc, s.misc},
	}
}

type controller struct {
	name   string
	v1, v2 func(*files)
}

// read reads statistics from directories by v1 controller; that of "" is cgroup v2's.
func read(dirs map[string]fs.FS) (*Stats, error) {
	s := &Stats{Hugetlb: make(map[string]Hugetlb)}
	var errs []error
	unified := &files{dir: dirs[""]}
	for _, c := range s.controllers() {
		if dir, ok := dirs[c.name]; ok {
			f := &files{dir: dir}
			c.v1(f)
			errs = append(errs, f.err)
		} else if unified.dir != nil {
			c.v2(unified)
		}
	}
	if unified.dir != nil {
		s.pressure(unified)
	}
	return s, errors.Join(append(errs, unified.err)...)
}

func (s *Stats) pressure(f *files) {
	s.CPU.PSI = f.psi("cpu.pressure")
	s.Memory.PSI = f.psi("memory.pressure")
	s.Blkio.PSI = f.psi("io.pressure")
	if p := f.psi("irq.pressure"); p != nil {
		s.IRQ = &IRQ{p}
	}
}

// pids reads the pids controller, whose files are the same in both versions.
func (s *Stats) pids(f *files) {
	s.Pids = Pids{Current: f.number("pids.current"), Peak: f.number("pids.peak")}
	if max := f.text("pids.max"); max != "max" {
		s.Pids.Limit = f.number("pids.max")
	}
}

func (s *Stats) rdma(f *files) {
	all := make(map[string]RDMA)
	put := func(file string, field func(*RDMA) *RDMAEntry) {
		f.nested(file, func(device, key, value string) {
			d := all[device]
			switch key {
			case "hca_handle":
				field(&d).HcaHandles = f.parse(file, value)
			case "hca_object":
				field(&d).HcaObjects = f.parse(file, value)
			}
			all[device] = d
		})
	}
	put("rdma.current", func(d *RDMA) *RDMAEntry { return &d.Current })
	put("rdma.max", func(d *RDMA) *RDMAEntry { return &d.Max })
	s.RDMA = all
}

func (s *Stats) misc(f *files) {
	max, peak, events := f.keyed("misc.max"), f.keyed("misc.peak"), f.keyed("misc.events")
	s.Misc = make(map[string]Misc)
	for name, usage := range f.keyed("misc.current") {
		s.Misc[name] = Misc{Usage: usage, Max: max[name], Peak: peak[name], Events: events[name+".max"]}
	}
}
