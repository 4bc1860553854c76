//go:build engines

package engines

import (
	"fmt"
	"strings"
	"testing"
)

// A limitCase is an option of docker run or podman run and the limits that must then stand in the cgroup.
type limitCase struct {
	name     string
	options  []string
	settings []setting
}

var limitCases = []limitCase{
	{"memory", []string{"--memory", "64m"}, []setting{{"memory", "memory.limit_in_bytes", "67108864", "memory.max", "67108864"}}},
	{"memory reservation", []string{"--memory-reservation", "32m"},
		[]setting{{"memory", "memory.soft_limit_in_bytes", "33554432", "memory.low", "33554432"}}},
	{"cpus", []string{"--cpus", "0.5"}, []setting{
		{"cpu", "cpu.cfs_quota_us", "50000", "cpu.max", "50000 100000"}, {"cpu", "cpu.cfs_period_us", "100000", "cpu.max", "50000 100000"}}},
	// 59 in cgroup v2 is the newer conversion of shares to weights, 20 the older.
	{"cpu shares", []string{"--cpu-shares", "512"}, []setting{{"cpu", "cpu.shares", "512", "cpu.weight", "20|59"}}},
	{"cpuset", []string{"--cpuset-cpus", "0"}, []setting{{"cpuset", "cpuset.cpus", "0", "cpuset.cpus", "0"}}},
	{"pids", []string{"--pids-limit", "50"}, []setting{{"pids", "pids.max", "50", "pids.max", "50"}}},
}

func TestDockerLimits(t *testing.T) {
	for _, c := range limitCases {
		t.Run(c.name, func(t *testing.T) {
			needController(t, c.settings[0].controller)
			d := docker(t)
			pid := d.pid(t, d.sleeper(t, c.options...))
			expectPlace(t, pid)
			for _, s := range c.settings {
				s.expect(t, pid)
			}
		})
	}
}

func TestDockerPutsTheContainerInItsCgroup(t *testing.T) {
	d := docker(t)
	expectPlace(t, d.pid(t, d.sleeper(t)))
}

func TestDockerPidsLimitHolds(t *testing.T) {
	needController(t, "pids")
	o := docker(t).run(t, []string{"--pids-limit", "5"}, "sh", "-c", "for i in 1 2 3 4 5 6; do sleep 1 & done; wait")
	if !strings.Contains(o.err, "can't fork") {
		t.Errorf("six processes in a limit of five: %v", o)
	}
}

func TestDockerOutOfMemory(t *testing.T) {
	needController(t, "memory")
	d := docker(t)
	name := d.reserve(t)
	d.do(t, d.runArgs("run", []string{"--name", name, "--memory", "32m", "--memory-swap", "32m"}, "probe", "memory", "100000000")...).fails(t, 137)
	equal(t, "inspect", d.inspect(t, name, ".State.OOMKilled"), "true")
	equal(t, "inspect", d.inspect(t, name, ".State.ExitCode"), "137")
}

func TestDockerMemoryWithinTheLimit(t *testing.T) {
	needController(t, "memory")
	out := docker(t).run(t, []string{"--memory", "64m"}, "probe", "memory", "20000000").ok(t)
	equal(t, "output", out, "touched 20000000")
}

func TestDockerUpdate(t *testing.T) {
	needCommand(t, "update")
	for _, c := range limitCases {
		t.Run(c.name, func(t *testing.T) {
			needController(t, c.settings[0].controller)
			d := docker(t)
			name := d.sleeper(t, "--memory", "128m", "--memory-swap", "128m", "--cpus", "0.3", "--pids-limit", "70")
			options := c.options
			if c.name == "memory" {
				options = append(options, "--memory-swap", "64m")
			}
			d.do(t, append(append([]string{"update"}, options...), name)...).ok(t)
			for _, s := range c.settings {
				s.expect(t, d.pid(t, name))
			}
		})
	}
}

func TestDockerStats(t *testing.T) {
	needController(t, "memory")
	needController(t, "pids")
	d := docker(t)
	name := d.sleeper(t, "--memory", "64m")
	out := d.do(t, "stats", "--no-stream", "--format", "{{.PIDs}} {{.MemUsage}}", name).ok(t)
	var pids int
	var usage float64
	var unit string
	if _, err := fmt.Sscanf(out, "%d %f%s / 64MiB", &pids, &usage, &unit); err != nil || pids < 1 || usage <= 0 {
		t.Errorf("stats: %q (%v), want at least 1 process, some memory and the limit of 64MiB", out, err)
	}
}
