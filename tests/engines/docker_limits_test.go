// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestDockerLimits(t *testing.T) {
	cases := available(append(limitCases, weightCase)...)
	d := docker(t)
	name := d.sleeper(t, optionsOf(cases)...)
	expectPlace(t, d.pid(t, name))
	d.expectLimits(t, name, cases)
	t.Run("after a restart", func(t *testing.T) {
		d.do(t, "restart", "-t", "5", name).ok(t)
		d.expectLimits(t, name, cases)
	})
}

func (e *dockerEngine) expectLimits(t *testing.T, name string, cases []limitCase) {
	t.Helper()
	expectLimits(t, cases, e.pid(t, name), func(script string) outcome { return e.exec(t, name, "sh", "-c", script) })
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
	needMountedHierarchies(t)
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
	cases := available(append(limitCases, weightCase)...)
	d := docker(t)
	name := d.sleeper(t, "--memory", "128m", "--memory-swap", "128m", "--cpus", "0.3", "--pids-limit", "70")
	d.do(t, slices.Concat([]string{"update"}, optionsOf(cases), []string{name})...).ok(t)
	d.expectLimits(t, name, cases)
}

func TestDockerStats(t *testing.T) {
	needMountedHierarchies(t)
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
