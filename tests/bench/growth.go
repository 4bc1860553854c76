// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// quantity is a part of the configuration of which there may be many.
type quantity struct {
	name string
	most int // the larger number; the smaller is a quarter of it
	add  func(s *specs.Spec, n int)
}

var quantities = []quantity{
	{"environment variables", 5000, manyVariables},
	{"annotations", 5000, manyAnnotations},
	{"bind mounts", 1000, manyMounts},
	{"devices", 1000, manyDevices},
	{"masked paths", 1000, manyMasked},
	{"id mappings", 300, manyMappings},
	{"seccomp rules, cached", 600, manyRules},
}

// growth shows whether the time of run grows linearly: it adds three rows for each
// quantity. If it does, four times as many cost four times as much.
func (b *bench) growth() error {
	if err := manyFiles(); err != nil {
		return err
	}
	rounds := max(3, b.rounds/4)
	b.all = append([]contender{}, b.all...)
	for i := range b.all {
		if b.all[i].name == "runc" {
			b.all[i].why = "left out"
		}
	}
	var lines []string
	for _, q := range quantities {
		for _, n := range []int{1, q.most / 4, q.most} {
			if err := makeBundle("many", func(s *specs.Spec) { q.add(s, n) }); err != nil {
				return err
			}
			if err := b.runOf(fmt.Sprintf("%d %s", n, q.name), ofCrun(1), rounds, "many"); err != nil {
				return err
			}
		}
		last := b.rows[len(b.rows)-3:]
		line := fmt.Sprintf("%-24s", q.name)
		for _, name := range []string{"skiff", "crun"} {
			line += fmt.Sprintf("  %s: %s", name, slope(last[0].LowCPU[name], last[1].LowCPU[name], last[2].LowCPU[name], q.most))
		}
		lines = append(lines, line)
	}
	fmt.Println("\nWhat one more of each costs, and how the cost grows from a quarter to all (4 is linear), by CPU time:")
	for _, line := range lines {
		fmt.Println(line)
	}
	return nil
}

// slope says what one of most items costs, in µs, and by how much the cost of all exceeds
// that of a quarter of them. The arguments are times, in ms; none is that with one item.
func slope(none, quarter, all float64, most int) string {
	each := (all - none) * 1000 / float64(most)
	if quarter-none < 0.05 { // less than what two measurements differ by
		return fmt.Sprintf("%7.2f µs  -   ", each)
	}
	return fmt.Sprintf("%7.2f µs x%.1f", each, (all-none)/(quarter-none))
}

// manyFiles makes what mounts and masked paths need in the root file system.
func manyFiles() error {
	for i := range 1000 {
		if err := os.MkdirAll(filepath.Join(rootfs, "m", fmt.Sprint(i)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(rootfs, "m", fmt.Sprintf("f%d", i)), nil, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func manyVariables(s *specs.Spec, n int) {
	for i := range n {
		s.Process.Env = append(s.Process.Env, fmt.Sprintf("VARIABLE_%d=value %d", i, i))
	}
}

func manyAnnotations(s *specs.Spec, n int) {
	s.Annotations = make(map[string]string)
	for i := range n {
		s.Annotations[fmt.Sprintf("org.example.key%d", i)] = fmt.Sprintf("value %d", i)
	}
}

func manyMounts(s *specs.Spec, n int) {
	for i := range n {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: fmt.Sprintf("/m/%d", i), Type: "bind", Source: "/bench", Options: []string{"rbind", "rprivate"}})
	}
}

func manyDevices(s *specs.Spec, n int) {
	for i := range n {
		s.Linux.Devices = append(s.Linux.Devices, specs.LinuxDevice{Path: fmt.Sprintf("/dev/null%d", i), Type: "c", Major: 1, Minor: 3})
	}
}

func manyMasked(s *specs.Spec, n int) {
	for i := range n {
		s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, fmt.Sprintf("/m/f%d", i))
	}
}

func manyMappings(s *specs.Spec, n int) {
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	for i := range n {
		m := specs.LinuxIDMapping{ContainerID: uint32(i + 9), HostID: uint32(100000 + 20*i), Size: 1}
		if i == 0 { // with the group of /dev/pts
			m.ContainerID, m.Size = 0, 10
		}
		s.Linux.UIDMappings = append(s.Linux.UIDMappings, m)
		s.Linux.GIDMappings = append(s.Linux.GIDMappings, m)
	}
}

func manyRules(s *specs.Spec, n int) {
	s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
	for i := range n {
		s.Linux.Seccomp.Syscalls = append(s.Linux.Seccomp.Syscalls, rule(uint64(i)))
	}
}

// rule returns a rule that no process here meets, and that is another one for each value.
func rule(value uint64) specs.LinuxSyscall {
	refused := uint(1)
	return specs.LinuxSyscall{
		Names: []string{"ioctl"}, Action: specs.ActErrno, ErrnoRet: &refused,
		Args: []specs.LinuxSeccompArg{{Index: 1, Value: 0xfffe0000 + value, Op: specs.OpEqualTo}},
	}
}
