// SPDX-License-Identifier: Apache-2.0

//go:build engines && times

package engines

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestTimes measures how long engines take with several runtimes, and how much of it is
// the runtime's. tests/engines/times/run prepares what it needs, and names it in variables:
// TIMES_ROUNDS, TIMES_CLIENT (containerd's Go client), and for each runtime
// TIMES_RUNTIME_name and TIMES_TIMED_name, the same behind timed/timed.c.
//
// The engines are told one path, at which each runtime is put in turn. Each operation is
// done twice in a round: with the runtime itself, for the whole time; and with the one that
// is timed, for the part of the runtime, in which the engine waits for it.
func TestTimes(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("TIMES_ROUNDS"))
	if err != nil {
		t.Fatal(err)
	}
	var all []*contestant
	for _, name := range []string{"skiff", "crun", "runc"} {
		all = append(all, &contestant{name: name, binary: os.Getenv("TIMES_RUNTIME_" + name), timed: os.Getenv("TIMES_TIMED_" + name)})
	}
	for _, o := range operations(t) {
		for i := range rounds + 1 {
			for _, c := range all {
				whole, part := o.once(t, c)
				if i > 0 { // the first round warms up
					c.whole, c.part = append(c.whole, whole), append(c.part, part)
				}
			}
		}
		for _, c := range all {
			whole, part := middle(c.whole), middle(c.part)
			share := fmt.Sprintf("%.1f ms in the runtime, %.0f %%", part, 100*part/whole)
			if o.atOnce > 0 { // its calls overlap
				share = fmt.Sprintf("%.1f ms in the runtime for each", part/float64(o.atOnce))
			}
			fmt.Printf("%-32s %-6s %8.1f ms, %.2f of crun; %s\n", o.name, c.name, whole, whole/middle(all[1].whole), share)
		}
		for _, c := range all {
			c.whole, c.part = nil, nil
		}
	}
}

// A contestant is a runtime, with the times of an operation in milliseconds.
type contestant struct {
	name, binary, timed string
	whole, part         []float64
}

// install puts a runtime where the engines look for it.
func install(t *testing.T, binary string) {
	t.Helper()
	next := world.runtime + ".next"
	if err := copyFile(binary, next, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, world.runtime); err != nil {
		t.Fatal(err)
	}
}

// An operation is what is measured. begin, if it is not nil, prepares it for a runtime. do
// returns the time in milliseconds, or 0 for the time that it has taken.
type operation struct {
	name  string
	begin func(t *testing.T, c *contestant)
	do    func(t *testing.T, c *contestant) float64
	begun map[string]bool

	atOnce int // how many containers it starts at once; 0: one after the other
}

// once does the operation with the runtime, and again with the timed one.
func (o *operation) once(t *testing.T, c *contestant) (whole, part float64) {
	t.Helper()
	install(t, c.binary)
	if o.begin != nil && !o.begun[c.name] {
		o.begin(t, c)
		o.begun[c.name] = true
	}
	whole = o.measure(t, c)
	install(t, c.timed)
	log := c.timed + ".log"
	_ = os.Remove(log)
	o.measure(t, c)
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatalf("%s did not call the runtime: %v", o.name, err)
	}
	for word := range strings.FieldsSeq(string(text)) {
		us, err := strconv.ParseFloat(word, 64)
		if err != nil {
			t.Fatal(err)
		}
		part += us / 1000
	}
	return whole, part
}

func (o *operation) measure(t *testing.T, c *contestant) float64 {
	t.Helper()
	start := time.Now()
	if ms := o.do(t, c); ms != 0 {
		return ms
	}
	return float64(time.Since(start).Microseconds()) / 1000
}

// must runs a command, and fails the test if it fails.
func must(t *testing.T, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = base
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := err.(*exec.ExitError); ok {
			out = append(out, exit.Stderr...)
		}
		t.Fatalf("%v: %v: %s", argv, err, out)
	}
	return strings.TrimSpace(string(out))
}

func operations(t *testing.T) []*operation {
	t.Helper()
	c, err := startContainerd()
	if err != nil {
		t.Fatal(err)
	}
	d, err := startDockerd()
	if err != nil {
		t.Fatal(err)
	}
	p, err := startPodman()
	if err != nil {
		t.Fatal(err)
	}
	number := 0
	next := func() string {
		number++
		return fmt.Sprintf("times%d", number)
	}
	run := func(client, args []string) func(*testing.T, *contestant) float64 {
		return func(t *testing.T, _ *contestant) float64 {
			must(t, slices.Concat(client, args)...)
			return 0
		}
	}
	sleeper := func(c *contestant) string { return "times-exec-" + c.name }
	return []*operation{
		{name: "ctr run --rm", do: func(t *testing.T, _ *contestant) float64 {
			must(t, slices.Concat(c.client, c.runArgs(next(), []string{"--rm"}, "/bin/true"))...)
			return 0
		}},
		{name: "docker run --rm", do: run(d.client, d.runArgs("run", []string{"--rm"}, "/bin/true"))},
		{name: "docker exec", begun: map[string]bool{}, begin: func(t *testing.T, c *contestant) {
			must(t, slices.Concat(d.client, d.runArgs("run", []string{"-d", "--name", sleeper(c)}, "sleep", "100000"))...)
			t.Cleanup(func() {
				install(t, c.binary)
				must(t, slices.Concat(d.client, []string{"rm", "-f", sleeper(c)})...)
			})
		}, do: func(t *testing.T, c *contestant) float64 {
			must(t, slices.Concat(d.client, []string{"exec", sleeper(c), "/bin/true"})...)
			return 0
		}},
		{name: "podman run --rm", do: run(p.client, p.runArgs("run", []string{"--rm"}, "/bin/true"))},
		{name: "50 by containerd's client", atOnce: 50, do: func(t *testing.T, _ *contestant) float64 {
			out := must(t, os.Getenv("TIMES_CLIENT"), containerdSocket, image, world.runtime, world.path("times"), "50")
			ms, err := strconv.ParseFloat(out, 64)
			if err != nil {
				t.Fatal(err)
			}
			return ms
		}},
	}
}

// middle returns the median.
func middle(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
