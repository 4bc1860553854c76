// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A setting is a resource limit as each cgroup version shows it. If several values are accepted, they are separated by
// "|".
type setting struct{ controller, v1file, v1, v2file, v2 string }

// A limitCase has options of docker run or podman run, and the limits that the cgroup must then have.
type limitCase struct {
	name     string
	options  []string
	settings []setting
}

var limitCases = []limitCase{
	{"memory", []string{"--memory", "64m", "--memory-swap", "96m"}, []setting{
		{"memory", "memory.limit_in_bytes", "67108864", "memory.max", "67108864"},
		{"memory", "memory.memsw.limit_in_bytes", "100663296", "memory.swap.max", "33554432"}}},
	{"memory reservation", []string{"--memory-reservation", "32m"},
		[]setting{{"memory", "memory.soft_limit_in_bytes", "33554432", "memory.low", "33554432"}}},
	{"cpus", []string{"--cpus", "0.5"}, []setting{
		{"cpu", "cpu.cfs_quota_us", "50000", "cpu.max", "50000 100000"}, {"cpu", "cpu.cfs_period_us", "100000", "cpu.max", "50000 100000"}}},
	// In cgroup v2, 59 is the newer conversion of shares to weights, 20 the older.
	{"cpu shares", []string{"--cpu-shares", "512"}, []setting{{"cpu", "cpu.shares", "512", "cpu.weight", "20|59"}}},
	{"cpuset", []string{"--cpuset-cpus", "0"}, []setting{{"cpuset", "cpuset.cpus", "0", "cpuset.cpus", "0"}}},
	{"pids", []string{"--pids-limit", "50"}, []setting{{"pids", "pids.max", "50", "pids.max", "50"}}},
}

// weightCase is the weight of block I/O. It is not in limitCases for the engines that do not know blkio.bfq.weight of
// cgroup v1. If the kernel has BFQ, the weight is BFQ's.
var weightCase = limitCase{"block I/O weight", []string{"--blkio-weight", "300"}, []setting{
	{"io", "", "", "io.bfq.weight", "default 300"}, {"io", "", "", "io.weight", "default 2930"}}}

// throttleCase limits the throughput of a disk. It has no settings if the host has no disk.
func throttleCase() (c limitCase) {
	c.name = "throughput"
	numbers, _ := filepath.Glob("/sys/block/*/dev")
	for _, path := range numbers {
		device := "/dev/" + filepath.Base(filepath.Dir(path))
		number, err := os.ReadFile(path)
		if _, missing := os.Stat(device); err != nil || missing != nil || strings.HasPrefix(device, "/dev/loop") {
			continue
		}
		at := strings.TrimSpace(string(number))
		c.options = []string{"--device-write-bps", device + ":1mb", "--device-read-iops", device + ":100"}
		c.settings = []setting{
			{"blkio", "blkio.throttle.write_bps_device", at + " 1048576", "", ""},
			{"blkio", "blkio.throttle.read_iops_device", at + " 100", "", ""},
			{"io", "", "", "io.max", at + " rbps=max wbps=1048576 riops=100 wiops=max"}}
		break
	}
	return c
}

// path returns the file of the limit in the cgroup of a process, or "" if there is no such file.
func (s setting) path(t *testing.T, pid string) string {
	t.Helper()
	path := filepath.Join(world.cgroups.unified, cgroupOf(t, pid, ""), s.v2file)
	if mount := world.cgroups.v1[s.controller]; mount != "" {
		path = filepath.Join(mount, cgroupOf(t, pid, s.controller), s.v1file)
	}
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return ""
	}
	return path
}

// inside returns the path of the limit's file in a container.
func (s setting) inside() string {
	if mount := world.cgroups.v1[s.controller]; mount != "" {
		return filepath.Join("/sys/fs/cgroup", filepath.Base(mount), s.v1file)
	}
	return filepath.Join("/sys/fs/cgroup", s.v2file)
}

// check fails the test unless the value that was read is the limit.
func (s setting) check(t *testing.T, where, got string) {
	t.Helper()
	want := s.v2
	if world.cgroups.v1[s.controller] != "" {
		want = s.v1
	}
	if !slices.Contains(strings.Split(want, "|"), strings.TrimSpace(got)) {
		t.Errorf("%s: got %q, want %q", where, got, want)
	}
}

// expect reads the limit back from the cgroup of a process.
func (s setting) expect(t *testing.T, pid string) {
	t.Helper()
	path := s.path(t, pid)
	if path == "" {
		t.Fatalf("the cgroup of process %s has no %s", pid, s.inside())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s.check(t, path, string(data))
}

// available returns the cases that have a controller on this host.
func available(cases ...limitCase) (kept []limitCase) {
	for _, c := range cases {
		if slices.ContainsFunc(c.settings, func(s setting) bool { return world.cgroups.has(s.controller) }) {
			kept = append(kept, c)
		}
	}
	return kept
}

// optionsOf returns the options of all cases.
func optionsOf(cases []limitCase) (options []string) {
	for _, c := range cases {
		options = append(options, c.options...)
	}
	return options
}

// expectLimits reads all limits back: on the host, from the cgroup of a process, and inside the container, where run
// runs a script.
func expectLimits(t *testing.T, cases []limitCase, pid string, run func(script string) outcome) {
	t.Helper()
	// Without a cgroup namespace a container sees all of cgroup v2.
	script := "own=$(grep ^0:: /proc/self/cgroup | cut -d: -f3)"
	for _, c := range cases {
		for _, s := range c.found(t, pid) {
			file := s.inside()
			if dir, name := filepath.Split(file); dir == "/sys/fs/cgroup/" {
				file = dir + "$own/" + name
			}
			script += fmt.Sprintf("; echo %s=$(cat %s)", s.inside(), file)
		}
	}
	inside := map[string]string{}
	for line := range strings.Lines(run(script).ok(t)) {
		file, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		inside[file] = value
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			found := c.found(t, pid)
			if len(found) == 0 {
				t.Skipf("the cgroup of a container has none of the files of this: %v", world.cgroups)
			}
			for _, s := range found {
				s.expect(t, pid)
				s.check(t, "inside: "+s.inside(), inside[s.inside()])
			}
		})
	}
}

// found returns the settings whose file exists in the cgroup of a process; of the weight, only the first.
func (c limitCase) found(t *testing.T, pid string) []setting {
	t.Helper()
	found := slices.DeleteFunc(slices.Clone(c.settings), func(s setting) bool { return s.path(t, pid) == "" })
	if c.name == weightCase.name {
		return found[:min(1, len(found))]
	}
	return found
}
