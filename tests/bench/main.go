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
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// contender is one runtime, or the floor, which has no commands.
type contender struct {
	name string
	path string
	root string // the value of --root
	why  string // why it cannot take part; empty if it can

	version string // the first line of its --version
}

// row is a row of the table.
type row struct {
	Name   string             `json:"name"`
	Unit   string             `json:"unit"`
	Goal   string             `json:"goal"`
	Values map[string]float64 `json:"values"` // medians, by name of the contender
	Notes  map[string]string  `json:"notes,omitempty"`
}

type bench struct {
	all    []contender
	rounds int
	rows   []row
}

const bundle = "/tmp/bundle"

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 60, "measurements of each runtime in each row")
	flag.StringVar(&o.before, "before", "", "another build of skiff, which takes part as \"before\"")
	flag.StringVar(&o.only, "only", "", "the one row to measure: version, run, cycle, exec, state, parallel, memory, idle or list")
	flag.StringVar(&o.out, "json", "", "file to write the result to")
	flag.StringVar(&o.chart, "chart", "", "file to write a picture of the result to, as SVG")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options has the values of the flags.
type options struct {
	rounds            int
	before, only, out string
	chart             string
}

func run(o options) error {
	b := &bench{rounds: o.rounds, all: []contender{
		{name: "skiff", path: "/bench/skiff", root: "/run/skiff"},
		{name: "crun", path: "/usr/bin/crun", root: "/run/crun"},
		{name: "runc", path: "/usr/sbin/runc", root: "/run/runc"},
	}}
	if o.before != "" {
		b.all = append(b.all, contender{name: "before", path: o.before, root: "/run/before"})
	}
	if err := makeBundle(); err != nil {
		return err
	}
	for i := range b.all {
		c := &b.all[i]
		if err := c.call("run", "--bundle", bundle, "probe"); err != nil {
			c.why = err.Error()
		}
		version, _ := exec.Command(c.path, "--version").Output()
		c.version, _, _ = strings.Cut(string(version), "\n")
		fmt.Printf("%s: %s %s\n", c.name, c.version, c.why)
	}
	if b.all[0].why != "" {
		return errors.New("skiff cannot run: " + b.all[0].why)
	}
	for _, m := range []struct {
		name    string
		measure func() error
	}{
		{"version", b.version}, {"run", b.runTrue}, {"cycle", b.cycle}, {"exec", b.exec}, {"state", b.state},
		{"parallel", b.parallel}, {"memory", b.memory}, {"idle", b.idle}, {"list", b.list},
	} {
		if o.only != "" && o.only != m.name {
			continue
		}
		if err := m.measure(); err != nil {
			return err
		}
	}
	b.print()
	text, err := json.MarshalIndent(b.rows, "", "\t")
	if err != nil || o.out == "" {
		return err
	}
	if err := os.WriteFile(o.out, text, 0o644); err != nil || o.chart == "" {
		return err
	}
	return os.WriteFile(o.chart, []byte(chart(b.rows, b.caption())), 0o644)
}

// makeBundle makes a bundle with the default configuration for /bin/true, in the oldest
// version of the specification, which all contenders accept.
func makeBundle() error {
	for _, d := range []string{"bin", "dev", "proc", "sys", "tmp", "etc"} {
		if err := os.MkdirAll(filepath.Join(bundle, "rootfs", d), 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"true", "sleep"} {
		if err := copyFile("/bin/busybox", filepath.Join(bundle, "rootfs/bin", name)); err != nil {
			return err
		}
	}
	if out, err := exec.Command("/bench/skiff", "spec", "--bundle", bundle).CombinedOutput(); err != nil {
		return fmt.Errorf("spec: %w: %s", err, out)
	}
	return configure([]string{"/bin/true"}, nil)
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}

// configure sets the arguments of the process, and the memory limit in bytes (nil: none).
func configure(args []string, memory *int64) error {
	path := filepath.Join(bundle, "config.json")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var c map[string]any
	if err := json.Unmarshal(b, &c); err != nil {
		return err
	}
	c["ociVersion"] = "1.0.0"
	p := c["process"].(map[string]any)
	p["args"], p["terminal"] = args, false
	r := c["linux"].(map[string]any)["resources"].(map[string]any)
	delete(r, "memory")
	if memory != nil {
		r["memory"] = map[string]any{"limit": *memory}
	}
	if b, err = json.Marshal(c); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}

// ownID returns a container id that no other contender uses: cgroups are named after the
// ids.
func (c *contender) ownID(id string) string { return c.name + "-" + id }

// call runs a command of the runtime. Its output goes to a file: a container keeps its
// output open, so a pipe would not end.
func (c *contender) call(args ...string) error {
	f, err := os.OpenFile("/tmp/"+c.name+".out", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.Command(c.path, append([]string{"--root", c.root}, args...)...)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(f.Name())
		return fmt.Errorf("%s %s: %w: %s", c.name, args[0], err, strings.TrimSpace(string(text)))
	}
	return nil
}

// time measures f for each contender, round by round, after two rounds of warm-up. It
// adds a row with the medians, in milliseconds.
func (b *bench) time(name, goal string, rounds int, f func(c *contender) error) error {
	got := make(map[string][]float64)
	r := row{Name: name, Unit: "ms", Goal: goal, Values: map[string]float64{}, Notes: map[string]string{}}
	for i := range rounds + 2 {
		for j := range b.all {
			c := &b.all[j]
			if c.why != "" || r.Notes[c.name] != "" {
				continue
			}
			if c.name == "runc" && i >= 2 && i%4 != 0 {
				continue // it takes long and varies little
			}
			start := time.Now()
			if err := f(c); err != nil {
				if c.name == "skiff" {
					return err
				}
				r.Notes[c.name] = err.Error()
				continue
			}
			if i >= 2 {
				got[c.name] = append(got[c.name], float64(time.Since(start).Microseconds())/1000)
			}
		}
	}
	for k, v := range got {
		r.Values[k] = median(v)
	}
	b.rows = append(b.rows, r)
	return nil
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

func (b *bench) version() error {
	return b.time("--version", "", b.rounds, func(c *contender) error { return c.call("--version") })
}

// runTrue also measures the floor.
func (b *bench) runTrue() error {
	with := *b
	with.all = append(slices.Clone(b.all), contender{name: "floor", path: "/bench/floor"})
	err := with.time("run of /bin/true", "<= 0.6 of crun, <= 2.0 of the floor", b.rounds, func(c *contender) error {
		if c.name != "floor" {
			return c.call("run", "--bundle", bundle, "run")
		}
		out, err := exec.Command(c.path, bundle+"/rootfs", "/sys/fs/cgroup/floor", "/bin/true").CombinedOutput()
		if err != nil {
			return fmt.Errorf("floor: %w: %s", err, out)
		}
		return nil
	})
	b.rows = with.rows
	return err
}

func (b *bench) cycle() error {
	return b.time("create, start, state, delete --force", "<= 0.6 of crun", b.rounds, func(c *contender) error {
		for _, args := range [][]string{{"create", "--bundle", bundle, "cycle"}, {"start", "cycle"}, {"state", "cycle"}, {"delete", "--force", "cycle"}} {
			if err := c.call(args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// with runs f while every contender has a container with a sleeping process.
func (b *bench) with(id string, f func() error) error {
	if err := configure([]string{"/bin/sleep", "1000"}, nil); err != nil {
		return err
	}
	for i := range b.all {
		c := &b.all[i]
		if c.why != "" {
			continue
		}
		if err := c.call("run", "--detach", "--bundle", bundle, c.ownID(id)); err != nil {
			return err
		}
		defer c.call("delete", "--force", c.ownID(id))
	}
	if err := f(); err != nil {
		return err
	}
	return configure([]string{"/bin/true"}, nil)
}

func (b *bench) exec() error {
	return b.with("exec", func() error {
		return b.time("exec of /bin/true", "<= 0.8 of crun", b.rounds, func(c *contender) error { return c.call("exec", c.ownID("exec"), "/bin/true") })
	})
}

func (b *bench) state() error {
	return b.with("state", func() error {
		return b.time("state", "<= 0.8 of crun", b.rounds, func(c *contender) error { return c.call("state", c.ownID("state")) })
	})
}

func (b *bench) parallel() error {
	return b.time("50 run in parallel", "<= 0.8 of crun", max(3, b.rounds/12), func(c *contender) error {
		errs := make(chan error)
		for i := range 50 {
			go func() {
				out, err := exec.Command(c.path, "--root", c.root, "run", "--bundle", bundle, fmt.Sprintf("p%d", i)).CombinedOutput()
				if err != nil {
					err = fmt.Errorf("%s: %w: %s", c.name, err, out)
				}
				errs <- err
			}()
		}
		var err error
		for range 50 {
			err = errors.Join(err, <-errs)
		}
		return err
	})
}

// memory finds the smallest limit in which /bin/true runs. It takes the median of five
// searches, since memory of the previous container that the kernel has not yet reclaimed
// counts, too.
func (b *bench) memory() error {
	r := row{Name: "smallest memory limit", Unit: "KiB", Goal: "<= crun", Values: map[string]float64{}, Notes: map[string]string{}}
	defer func() { b.rows = append(b.rows, r) }()
	undo, err := memoryController()
	if err != nil {
		r.Notes["skiff"] = "not measured: " + err.Error()
		return nil
	}
	defer undo()
	for i := range b.all {
		c := &b.all[i]
		if c.why != "" {
			continue
		}
		var found []float64
		for range 5 {
			kib, err := smallest(c)
			if err != nil {
				return err
			}
			if kib == 0 {
				r.Notes[c.name] = "/bin/true runs in no limit up to 16 MiB"
				break
			}
			found = append(found, kib)
		}
		if len(found) > 0 {
			slices.Sort(found)
			r.Values[c.name] = found[len(found)/2]
		}
	}
	return configure([]string{"/bin/true"}, nil)
}

// smallest tries the limits in steps of 16 KiB, from 1 MiB on of 512 KiB. It returns 0 if
// none is sufficient.
func smallest(c *contender) (kib float64, err error) {
	for kib := int64(64); kib <= 16384; kib += step(kib) {
		limit := kib << 10
		if err := configure([]string{"/bin/true"}, &limit); err != nil {
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
		err := c.call("run", "--bundle", bundle, "memory")
		if err != nil {
			_ = c.call("delete", "--force", "memory")
			return false
		}
	}
	return true
}

// memoryController makes sure that there is a memory controller, in cgroup v2 or by
// mounting v1 hierarchies over it. undo unmounts them.
func memoryController() (undo func(), err error) {
	b, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	if err != nil {
		return nil, err
	}
	if slices.Contains(strings.Fields(string(b)), "memory") {
		return func() {}, nil
	}
	const top = "/sys/fs/cgroup"
	if err := unix.Mount("tmpfs", top, "tmpfs", 0, ""); err != nil {
		return nil, err
	}
	undo = func() { _ = unix.Unmount(top, unix.MNT_DETACH) }
	for _, name := range []string{"memory", "devices", "freezer", "pids", "cpu", "cpuset"} {
		dir := filepath.Join(top, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			undo()
			return nil, err
		}
		if err := unix.Mount("cgroup", dir, "cgroup", 0, name); err != nil {
			undo()
			return nil, fmt.Errorf("the memory controller is in neither version of cgroups: mount %s: %w", name, err)
		}
	}
	return undo, nil
}

// idle measures the memory of a container that is created but not started.
func (b *bench) idle() error {
	r := row{Name: "memory of a created init (PSS)", Unit: "KiB", Goal: "<= 200", Values: map[string]float64{}, Notes: map[string]string{}}
	for i := range b.all {
		c := &b.all[i]
		if c.why != "" {
			continue
		}
		if err := c.call("create", "--bundle", bundle, "--pid-file", "/tmp/pid", "idle"); err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
		pid, err := os.ReadFile("/tmp/pid")
		if err != nil {
			return err
		}
		if r.Values[c.name], err = pss(strings.TrimSpace(string(pid))); err != nil {
			return err
		}
		if err := c.call("delete", "--force", "idle"); err != nil {
			return err
		}
	}
	b.rows = append(b.rows, r)
	return nil
}

func pss(pid string) (float64, error) {
	b, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" {
			return strconv.ParseFloat(f[1], 64)
		}
	}
	return 0, errors.New("smaps_rollup has no Pss")
}

func (b *bench) list() error {
	if err := configure([]string{"/bin/sleep", "1000"}, nil); err != nil {
		return err
	}
	for i := range b.all {
		c := &b.all[i]
		if c.why != "" {
			continue
		}
		for n := range 100 {
			if err := c.call("run", "--detach", "--bundle", bundle, c.ownID(fmt.Sprintf("list%d", n))); err != nil {
				return err
			}
			defer c.call("delete", "--force", c.ownID(fmt.Sprintf("list%d", n)))
		}
	}
	return b.time("list of 100 containers", "<= crun", b.rounds/2, func(c *contender) error { return c.call("list") })
}
