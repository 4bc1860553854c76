// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// measurement adds one or several rows. Its name is that of the flag -only.
type measurement struct {
	name    string
	measure func(b *bench) error
}

// measurements are the rows, in the order of the table.
var measurements = []measurement{
	{"version", (*bench).version}, {"run", (*bench).runTrue}, {"cycle", (*bench).cycle},
	{"exec", (*bench).exec}, {"state", (*bench).state},
	{"docker", (*bench).docker}, {"cold", (*bench).cold}, {"kubernetes", (*bench).kubernetes}, {"env", (*bench).env},
	{"parallel", (*bench).parallel}, {"list", (*bench).list},
	{"peak", (*bench).peak}, {"memory", (*bench).memory}, {"idle", (*bench).idle},
}

func (b *bench) version() error {
	return b.time("--version", ofCrun(0.55), b.rounds, func(c *contender) (sample, error) { return c.call("--version") })
}

// runTrue also measures the floor.
func (b *bench) runTrue() error {
	with := *b
	with.all = append(append([]contender{}, b.all...), contender{name: "floor", path: "/bench/floor"})
	got, notes, err := with.collect(b.rounds, func(c *contender) (sample, error) {
		if c.name != "floor" {
			return c.call("run", "--bundle", plain.dir(), "run")
		}
		return finish(exec.Command(c.path, rootfs, "/sys/fs/cgroup/floor", "/bin/true"))
	})
	if err != nil {
		return err
	}
	b.rows = append(b.rows, summary("run of /bin/true", ofCrun(0.55), got, notes))
	return nil
}

// peak measures how much memory the largest process of a runtime uses.
func (b *bench) peak() error {
	r := row{Name: "peak memory of run", Unit: "KiB", goal: ofCrun(1.3), Values: map[string]float64{}}
	err := b.each(func(c *contender) error {
		var found []float64
		for range max(3, b.rounds/6) {
			out, err := exec.Command("/bench/peak", c.path, "--root", c.root, "run", "--bundle", plain.dir(), "run").Output()
			if err != nil {
				return fmt.Errorf("peak: %s: %w", c.name, err)
			}
			kib, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
			if err != nil {
				return err
			}
			found = append(found, kib)
		}
		slices.Sort(found)
		r.Values[c.name] = quantile(found, 0.5)
		return nil
	})
	b.rows = append(b.rows, r)
	return err
}

func (b *bench) cycle() error {
	return b.time("create, start, state, delete --force", ofCrun(0.58), b.rounds, func(c *contender) (sample, error) {
		return c.calls([]string{"create", "--bundle", plain.dir(), "cycle"}, []string{"start", "cycle"},
			[]string{"state", "cycle"}, []string{"delete", "--force", "cycle"})
	})
}

// sleeper runs f while every contender has a container with a sleeping process.
func (b *bench) sleeper(id string, f func() error) error {
	defer b.each(func(c *contender) error {
		_, err := c.call("delete", "--force", c.ownID(id))
		return err
	})
	err := b.each(func(c *contender) error {
		_, err := c.call("run", "--detach", "--bundle", sleeping.dir(), c.ownID(id))
		return err
	})
	if err != nil {
		return err
	}
	return f()
}

func (b *bench) exec() error {
	return b.sleeper("exec", func() error {
		return b.time("exec of /bin/true", ofCrun(0.62), b.rounds, func(c *contender) (sample, error) {
			return c.call("exec", c.ownID("exec"), "/bin/true")
		})
	})
}

func (b *bench) state() error {
	return b.sleeper("state", func() error {
		return b.time("state", ofCrun(0.55), b.rounds, func(c *contender) (sample, error) { return c.call("state", c.ownID("state")) })
	})
}

// runOf adds a row for a bundle that has been made.
func (b *bench) runOf(name string, g goal, rounds int, of bundle, notes ...string) error {
	err := b.time(name, g, rounds, func(c *contender) (sample, error) { return c.call("run", "--bundle", of.dir(), "run") })
	for _, note := range notes {
		if err == nil {
			b.rows[len(b.rows)-1].Notes["all"] = note
		}
	}
	return err
}

func (b *bench) docker() error {
	return dockers(func(controllers []string) error {
		return b.runOf("run with docker's configuration", ofCrun(0.60), b.rounds, "docker", inWords(controllers))
	})
}

// dockers makes the bundle "docker" and calls f with the controllers that its limits need.
func dockers(f func(controllers []string) error) error {
	profile, err := dockerSeccomp()
	if err != nil {
		return err
	}
	controllers, undo, err := limiting()
	if err != nil {
		return err
	}
	defer undo()
	if err := makeBundle("docker", func(s *specs.Spec) { likeDocker(s, profile, controllers) }); err != nil {
		return err
	}
	return f(controllers)
}

// cold measures the same with a seccomp filter that no cache has: one argument of one rule
// is another one in each round.
func (b *bench) cold() error {
	profile, err := dockerSeccomp()
	if err != nil {
		return err
	}
	n := uint64(0)
	return b.time("the same, seccomp filter not cached", ofCrun(1), max(3, b.rounds/6), func(c *contender) (sample, error) {
		n++
		changed := *profile
		changed.Syscalls = append(append([]specs.LinuxSyscall{}, profile.Syscalls...), rule(1<<32+n))
		if err := makeBundle("cold", func(s *specs.Spec) { likeDocker(s, &changed, nil) }); err != nil {
			return sample{}, err
		}
		return c.call("run", "--bundle", bundle("cold").dir(), "run")
	})
}

func (b *bench) kubernetes() error {
	return kubernetes(func(controllers []string) error {
		return b.runOf("run in a pod, with 12 binds", ofCrun(0.60), b.rounds, "kubernetes", inWords(controllers))
	})
}

// kubernetes makes the bundle "kubernetes" and calls f with the controllers that its limits
// need. The process whose namespaces it joins lives until then.
func kubernetes(f func(controllers []string) error) error {
	profile, err := dockerSeccomp()
	if err != nil {
		return err
	}
	pause, err := newPause()
	if err != nil {
		return err
	}
	defer pause.end()
	controllers, undo, err := limiting()
	if err != nil {
		return err
	}
	defer undo()
	if err := makeBundle("kubernetes", func(s *specs.Spec) { likeKubernetes(s, profile, controllers, pause.cmd.Process.Pid) }); err != nil {
		return err
	}
	return f(controllers)
}

func (b *bench) env() error {
	if err := makeBundle("env", func(s *specs.Spec) { manyVariables(s, 5000) }); err != nil {
		return err
	}
	return b.runOf("run with 5,000 environment variables", ofCrun(0.25), max(3, b.rounds/3), "env")
}

func (b *bench) parallel() error {
	return b.time("50 run in parallel", ofCrun(0.65), max(3, b.rounds/6), func(c *contender) (sample, error) { return c.parallel(50) })
}

// idle measures the memory of a container that is created but not started.
func (b *bench) idle() error {
	r := row{Name: "memory of a created init (PSS)", Unit: "KiB", goal: goal{most: 64}, Values: map[string]float64{}}
	err := b.each(func(c *contender) error {
		if _, err := c.call("create", "--bundle", plain.dir(), "--pid-file", "/tmp/pid", "idle"); err != nil {
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
		_, err = c.call("delete", "--force", "idle")
		return err
	})
	b.rows = append(b.rows, r)
	return err
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

// list measures 100 containers, and then 1,000. runc does not take part in the latter: to
// make them takes it a minute.
func (b *bench) list() error {
	made := make(map[string]int)
	defer func() {
		_ = b.each(func(c *contender) error { return c.many(made[c.name], "delete", "--force") })
	}()
	for _, n := range []int{100, 1000} {
		some := *b
		some.all = append([]contender{}, b.all...)
		for i := range some.all {
			if some.all[i].name == "runc" && n > 100 {
				some.all[i].why = "left out"
			}
		}
		err := some.each(func(c *contender) error {
			for ; made[c.name] < n; made[c.name]++ {
				if _, err := c.call("run", "--detach", "--bundle", sleeping.dir(), c.ownID(fmt.Sprintf("list%d", made[c.name]))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		err = some.time(fmt.Sprintf("list of %d containers", n), ofCrun(0.8), max(3, b.rounds/3), func(c *contender) (sample, error) { return c.call("list") })
		b.rows = some.rows
		if err != nil {
			return err
		}
	}
	return nil
}

// many runs a command for each container of a list.
func (c *contender) many(n int, command ...string) error {
	var failed error
	for i := range n {
		_, err := c.call(append(append([]string{}, command...), c.ownID(fmt.Sprintf("list%d", i)))...)
		failed = errors.Join(failed, err)
	}
	return failed
}
