// SPDX-License-Identifier: Apache-2.0

// Command bench compares the speed and memory use of container runtimes, in the
// environment that the script run next to it prepares. A round is one measurement of each
// runtime, so that a disturbance of the machine affects all of them.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// contender is one runtime, or the floor, which has no commands.
type contender struct {
	name string
	path string
	root string // the value of --root
	why  string // why it cannot take part; empty if it can

	version string // the first line of its --version
}

// row is a row of the table. The maps are by name of the contender.
type row struct {
	Name   string             `json:"name"`
	Unit   string             `json:"unit"`
	Goal   string             `json:"goal"`
	Missed bool               `json:"missed"`
	Values map[string]float64 `json:"values"`           // medians
	Low    map[string]float64 `json:"p10,omitempty"`    // a tenth of the measurements is below it
	CPU    map[string]float64 `json:"cpu,omitempty"`    // medians of the CPU time, in ms
	LowCPU map[string]float64 `json:"cpuP10,omitempty"` // in ms
	Faults map[string]float64 `json:"faults,omitempty"` // medians of the minor page faults
	Notes  map[string]string  `json:"notes,omitempty"`

	goal goal
}

// result is what is written as JSON.
type result struct {
	Time     string            `json:"time"`
	Machine  string            `json:"machine"`
	Versions map[string]string `json:"versions"`
	Rounds   int               `json:"rounds"`
	Before   string            `json:"loadBefore"` // /proc/loadavg
	After    string            `json:"loadAfter"`
	Cgroups  int               `json:"cgroups"` // that the host had before
	Rows     []row             `json:"rows"`
}

type bench struct {
	all    []contender
	rounds int
	rows   []row
}

// options has the values of the flags.
type options struct {
	rounds            int
	before, only, out string
	chart             string
	growth, timeline  bool
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 60, "measurements of each runtime in each row")
	flag.StringVar(&o.before, "before", "", "another build of skiff, which takes part as \"before\"")
	flag.StringVar(&o.only, "only", "", "the rows to measure, separated by commas: "+strings.Join(names(), ", "))
	flag.StringVar(&o.out, "json", "", "file to write the result to")
	flag.StringVar(&o.chart, "chart", "", "file to write a picture of the result to, as SVG")
	flag.BoolVar(&o.growth, "growth", false, "measure how the time of run grows with the size of the configuration, and nothing else")
	flag.BoolVar(&o.timeline, "timeline", false, "print where the time of skiff's fastest run goes, and nothing else; with -only docker or kubernetes, of one with that configuration")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	wanted, err := choose(o.only)
	if err != nil {
		return err
	}
	b := &bench{rounds: o.rounds, all: []contender{
		{name: "skiff", path: "/bench/skiff", root: "/run/skiff"},
		{name: "crun", path: "/usr/bin/crun", root: "/run/crun"},
		{name: "runc", path: "/usr/sbin/runc", root: "/run/runc"},
	}}
	if o.before != "" {
		b.all = append(b.all, contender{name: "before", path: o.before, root: "/run/before"})
	}
	if err := makeBundles(); err != nil {
		return err
	}
	if err := b.introduce(); err != nil {
		return err
	}
	r := result{Time: time.Now().Format(time.RFC3339), Machine: machine(), Versions: b.versions(), Rounds: o.rounds, Before: load(), Cgroups: cgroups()}
	if o.timeline {
		return b.timeline(o.only)
	}
	if o.growth {
		wanted = []measurement{{"growth", (*bench).growth}}
	}
	for _, m := range wanted {
		if err := m.measure(b); err != nil {
			return err
		}
	}
	for i := range b.rows {
		r := &b.rows[i]
		r.Goal, r.Missed = r.goal.String(), r.goal.missed(r.Values)
	}
	r.After, r.Rows = load(), b.rows
	fmt.Printf("load average before: %s; after: %s; other cgroups: %d\n", r.Before, r.After, r.Cgroups)
	fmt.Print(table(b.rows))
	return o.write(r)
}

// write writes the result to the files that the options name.
func (o *options) write(r result) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil || o.out == "" {
		return err
	}
	if err := os.WriteFile(o.out, text, 0o644); err != nil || o.chart == "" {
		return err
	}
	return os.WriteFile(o.chart, []byte(chart(r.Rows, caption(r))), 0o644)
}

// introduce finds out which contenders can take part.
func (b *bench) introduce() error {
	for i := range b.all {
		c := &b.all[i]
		if _, err := c.call("run", "--bundle", plain.dir(), "probe"); err != nil {
			c.why = err.Error()
		}
		version, _ := exec.Command(c.path, "--version").Output()
		c.version, _, _ = strings.Cut(string(version), "\n")
		fmt.Printf("%s: %s %s\n", c.name, c.version, c.why)
	}
	if b.all[0].why != "" {
		return errors.New("skiff cannot run: " + b.all[0].why)
	}
	return nil
}

func (b *bench) versions() map[string]string {
	v := make(map[string]string)
	for i := range b.all {
		v[b.all[i].name] = b.all[i].version
	}
	return v
}

// choose returns the measurements with these names, all if there are none.
func choose(only string) (wanted []measurement, err error) {
	if only == "" {
		return measurements, nil
	}
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(measurements, func(m measurement) bool { return m.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no row %q; there are %s", name, strings.Join(names(), ", "))
		}
		wanted = append(wanted, measurements[i])
	}
	return wanted, nil
}

func names() (all []string) {
	for _, m := range measurements {
		all = append(all, m.name)
	}
	return all
}

// load returns the load averages over 1, 5 and 15 minutes.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(text))
	return strings.Join(f[:min(3, len(f))], " ")
}

// cgroups returns how many cgroups of v2 there are, besides the root. The more there are,
// the longer it takes crun to make one.
func cgroups() (n int) {
	text, _ := os.ReadFile("/sys/fs/cgroup/cgroup.stat")
	_, _ = fmt.Sscanf(string(text), "nr_descendants %d", &n)
	return n
}
