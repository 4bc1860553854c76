// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestGoal(t *testing.T) {
	values := map[string]float64{"skiff": 5, "crun": 10}
	for _, c := range []struct {
		goal   goal
		text   string
		missed bool
	}{
		{goal{}, "", false},
		{ofCrun(0.5), "<= 0.50 of crun", false},
		{ofCrun(0.49), "<= 0.49 of crun", true},
		{goal{2, "floor"}, "<= 2.00 of floor", false}, // not measured
		{goal{most: 5}, "<= 5", false},
		{goal{most: 4.9}, "<= 4.9", true},
	} {
		if c.goal.String() != c.text || c.goal.missed(values) != c.missed {
			t.Errorf("%+v: %q, missed %v", c.goal, c.goal, c.goal.missed(values))
		}
	}
	if ofCrun(1).missed(nil) {
		t.Error("a row without values misses its goal")
	}
}

func TestQuantile(t *testing.T) {
	v := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	for q, want := range map[float64]float64{0: 1, 0.1: 2, 0.5: 6, 1: 11} {
		if got := quantile(v, q); got != want {
			t.Errorf("quantile(%v) = %v, want %v", q, got, want)
		}
	}
	if got := quantile([]float64{3}, 0.1); got != 3 {
		t.Errorf("the quantile of one value is %v", got)
	}
}

func TestSummary(t *testing.T) {
	all := make([]sample, 11)
	for i := range all {
		all[10-i] = sample{wall: time.Duration(i+1) * time.Millisecond, cpu: time.Duration(i+1) * 100 * time.Microsecond, faults: int64(i)}
	}
	r := summary("x", ofCrun(1), map[string][]sample{"skiff": all, "crun": nil}, nil)
	if r.Values["skiff"] != 6 || r.Low["skiff"] != 2 || r.CPU["skiff"] != 0.6 || r.LowCPU["skiff"] != 0.2 || r.Faults["skiff"] != 5 {
		t.Errorf("summary() = %+v", r)
	}
	if _, ok := r.Values["crun"]; ok {
		t.Error("there is a value that was not measured")
	}
}

func TestSampleAdd(t *testing.T) {
	s := sample{wall: 1, cpu: 2, faults: 3}
	s.add(sample{wall: 10, cpu: 20, faults: 30})
	if want := (sample{11, 22, 33}); s != want {
		t.Errorf("add() = %+v", s)
	}
}

func TestTable(t *testing.T) {
	got := table([]row{
		{Name: "run", Unit: "ms", Goal: "<= 0.50 of crun", Missed: true, Values: map[string]float64{"skiff": 4, "crun": 5, "floor": 2}, CPU: map[string]float64{"skiff": 2, "crun": 4}},
		{Name: "idle", Unit: "KiB", Values: map[string]float64{"skiff": 60}, Notes: map[string]string{"crun": "why"}},
	})
	want := []string{
		strings.Repeat(" ", 46) + "     skiff      crun     floor    of crun   of floor  CPU of crun  goal",
		"run (ms)" + strings.Repeat(" ", 38) + "      4.00      5.00      2.00       0.80       2.00         0.50  <= 0.50 of crun  MISSED",
		"idle (KiB)" + strings.Repeat(" ", 36) + "     60.00         -         -          -          -            -",
		"idle: crun: why",
	}
	if got != "\n"+strings.Join(want, "\n")+"\n" {
		t.Errorf("table:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func TestSlope(t *testing.T) {
	for _, c := range []struct {
		none, quarter, all float64
		want               string
	}{
		{1, 2, 5, "   4.00 µs x4.0"},
		{1, 2, 17, "  16.00 µs x16.0"},
		{1, 1.01, 1.1, "   0.10 µs  -   "},
	} {
		if got := slope(c.none, c.quarter, c.all, 1000); got != c.want {
			t.Errorf("slope(%v, %v, %v) = %q, want %q", c.none, c.quarter, c.all, got, c.want)
		}
	}
}

func TestChoose(t *testing.T) {
	all, err := choose("")
	if err != nil || len(all) != len(measurements) {
		t.Errorf("without a name: %d of %d rows, %v", len(all), len(measurements), err)
	}
	some, err := choose("state,run")
	if err != nil || len(some) != 2 || some[0].name != "state" || some[1].name != "run" {
		t.Errorf("state,run: %v, %v", some, err)
	}
	if _, err := choose("run,none"); err == nil || !strings.Contains(err.Error(), "idle") {
		t.Errorf("an unknown name: %v", err)
	}
}

func spec() *specs.Spec {
	return &specs.Spec{Process: &specs.Process{}, Root: &specs.Root{}, Linux: &specs.Linux{
		Resources: &specs.LinuxResources{},
		Namespaces: []specs.LinuxNamespace{
			{Type: specs.PIDNamespace}, {Type: specs.NetworkNamespace}, {Type: specs.UTSNamespace}, {Type: specs.IPCNamespace}, {Type: specs.MountNamespace},
		},
	}}
}

func TestLikeDocker(t *testing.T) {
	s, profile := spec(), &specs.LinuxSeccomp{}
	likeDocker(s, profile, []string{"memory", "cpu", "pids", "io"})
	r := s.Linux.Resources
	if r.Memory == nil || r.CPU == nil || r.Pids == nil || len(r.Devices) != 7 || r.Devices[0].Allow {
		t.Errorf("resources: %+v", r)
	}
	if len(s.Process.Capabilities.Bounding) != 14 || len(s.Mounts) != 10 || s.Linux.Seccomp != profile {
		t.Errorf("%d capabilities, %d mounts", len(s.Process.Capabilities.Bounding), len(s.Mounts))
	}
	s = spec()
	likeDocker(s, profile, []string{"hugetlb"})
	if r := s.Linux.Resources; r.Memory != nil || r.CPU != nil || r.Pids != nil {
		t.Errorf("resources without controllers: %+v", r)
	}
}

func TestLikeKubernetes(t *testing.T) {
	s := spec()
	likeKubernetes(s, nil, nil, 42)
	paths := make(map[specs.LinuxNamespaceType]string)
	for _, n := range s.Linux.Namespaces {
		paths[n.Type] = n.Path
	}
	if paths["network"] != "/proc/42/ns/net" || paths["ipc"] != "/proc/42/ns/ipc" || paths["uts"] != "/proc/42/ns/uts" || paths["pid"] != "" || paths["mount"] != "" {
		t.Errorf("namespaces: %v", paths)
	}
	binds := 0
	for _, m := range s.Mounts {
		if m.Type == "bind" {
			binds++
		}
	}
	if binds != 12 || s.Hostname != "" {
		t.Errorf("%d binds, host name %q", binds, s.Hostname)
	}
}

func TestInWords(t *testing.T) {
	for _, c := range []struct {
		controllers []string
		want        string
	}{
		{nil, "no limits"}, {[]string{"hugetlb"}, "no limits"},
		{[]string{"pids", "freezer", "memory"}, "limits: memory, pids"},
	} {
		if got := inWords(c.controllers); got != c.want {
			t.Errorf("inWords(%v) = %q, want %q", c.controllers, got, c.want)
		}
	}
}

// TestQuantities checks that each quantity adds as many as it is asked for.
func TestQuantities(t *testing.T) {
	size := func(s *specs.Spec) int {
		rules := 0
		if s.Linux.Seccomp != nil {
			rules = len(s.Linux.Seccomp.Syscalls)
		}
		return len(s.Process.Env) + len(s.Annotations) + len(s.Mounts) + len(s.Linux.Devices) + len(s.Linux.MaskedPaths) + len(s.Linux.UIDMappings) + rules
	}
	for _, q := range quantities {
		s := spec()
		q.add(s, 7)
		if got := size(s); got != 7 {
			t.Errorf("%s: %d, want 7", q.name, got)
		}
		if _, err := json.Marshal(s); err != nil {
			t.Error(err)
		}
	}
}

func TestCaption(t *testing.T) {
	got := caption(result{Time: "2026-11-29T10:00:00Z", Machine: "Linux 6.18, 2 CPUs", Before: "0.10 0.2 0.3", After: "1.00 0.5 0.3",
		Versions: map[string]string{"skiff": "skiff 1", "crun": "crun 2", "before": "skiff 0"}})
	if want := "medians; skiff 1, crun 2; 2026-11-29; Linux 6.18, 2 CPUs, load 0.10 before and 1.00 after"; got != want {
		t.Errorf("caption() = %q, want %q", got, want)
	}
}
