// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// memory finds the smallest limit in which /bin/true runs. It takes the median of five
// searches, since memory of the previous container that the kernel has not yet reclaimed
// counts, too.
func (b *bench) memory() error {
	r := row{Name: "smallest memory limit", Unit: "KiB", goal: goal{most: 160}, Values: map[string]float64{}, Notes: map[string]string{}}
	defer func() { b.rows = append(b.rows, r) }()
	controllers, undo, err := limiting()
	if err != nil {
		return err
	}
	defer undo()
	if !slices.Contains(controllers, "memory") {
		r.Notes["skiff"] = "not measured: the memory controller is in neither version of cgroups"
		return nil
	}
	return b.each(func(c *contender) error {
		var found []float64
		for range 5 {
			kib, err := smallest(c)
			if err != nil {
				return err
			}
			if kib == 0 {
				r.Notes[c.name] = "/bin/true runs in no limit up to 16 MiB"
				return nil
			}
			found = append(found, kib)
		}
		slices.Sort(found)
		r.Values[c.name] = quantile(found, 0.5)
		return nil
	})
}

// smallest tries the limits in steps of 16 KiB, from 1 MiB on of 512 KiB. It returns 0 if
// none is sufficient.
func smallest(c *contender) (kib float64, err error) {
	for kib := int64(64); kib <= 16384; kib += step(kib) {
		limit := kib << 10
		err := makeBundle("memory", func(s *specs.Spec) { s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit} })
		if err != nil {
			return 0, err
		}
		if runs(c) {
			return float64(kib), nil
		}
	}
	return 0, nil
}

func step(kib int64) int64 {
	if kib >= 1024 {
		return 512
	}
	return 16
}

// runs reports whether the container runs three times in a row.
func runs(c *contender) bool {
	for range 3 {
		if _, err := c.call("run", "--bundle", bundle("memory").dir(), "memory"); err != nil {
			_, _ = c.call("delete", "--force", "memory")
			return false
		}
	}
	return true
}

// limiting returns the controllers of cgroups that can limit something. If cgroup v2 has
// no memory controller, it mounts v1 hierarchies over it; undo unmounts them.
func limiting() (controllers []string, undo func(), err error) {
	const top = "/sys/fs/cgroup"
	b, err := os.ReadFile(filepath.Join(top, "cgroup.controllers"))
	if err != nil {
		return nil, nil, err
	}
	controllers = strings.Fields(string(b))
	if slices.Contains(controllers, "memory") {
		return controllers, func() {}, nil
	}
	if err := unix.Mount("tmpfs", top, "tmpfs", 0, ""); err != nil {
		return nil, nil, err
	}
	undo = func() { _ = unix.Unmount(top, unix.MNT_DETACH) }
	var legacy []string
	for _, name := range []string{"memory", "devices", "freezer", "pids", "cpu", "cpuset"} {
		dir := filepath.Join(top, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			undo()
			return nil, nil, err
		}
		if err := unix.Mount("cgroup", dir, "cgroup", 0, name); err != nil {
			if name == "memory" {
				undo()
				return controllers, func() {}, nil
			}
			_ = os.Remove(dir)
			continue
		}
		legacy = append(legacy, name)
	}
	return legacy, undo, nil
}
