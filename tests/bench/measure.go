// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// sample is what one measurement of a contender found: its wall-clock time, and what the
// kernel has counted for the commands and the processes that they have waited for.
type sample struct {
	wall, cpu time.Duration
	faults    int64
}

func (s *sample) add(o sample) {
	s.wall += o.wall
	s.cpu += o.cpu
	s.faults += o.faults
}

// finish runs a command, and returns what it has used.
func finish(cmd *exec.Cmd) (sample, error) {
	start := time.Now()
	err := cmd.Run()
	s := sample{wall: time.Since(start)}
	if cmd.ProcessState != nil {
		s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			s.faults = u.Minflt
		}
	}
	return s, err
}

// ownID returns a container id that no other contender uses: cgroups are named after the
// ids.
func (c *contender) ownID(id string) string { return c.name + "-" + id }

// call runs a command of the runtime. Its output goes to a file: a container keeps its
// output open, so a pipe would not end.
func (c *contender) call(args ...string) (sample, error) {
	f, err := os.CreateTemp("", c.name)
	if err != nil {
		return sample{}, err
	}
	defer f.Close()
	defer os.Remove(f.Name())
	cmd := exec.Command(c.path, append([]string{"--root", c.root}, args...)...)
	cmd.Stdout, cmd.Stderr = f, f
	s, err := finish(cmd)
	if err != nil {
		text, _ := os.ReadFile(f.Name())
		return s, fmt.Errorf("%s %s: %w: %s", c.name, args[0], err, strings.TrimSpace(string(text)))
	}
	return s, nil
}

// calls runs commands one after the other.
func (c *contender) calls(commands ...[]string) (sum sample, err error) {
	for _, args := range commands {
		s, err := c.call(args...)
		if err != nil {
			return sum, err
		}
		sum.add(s)
	}
	return sum, nil
}

// collect measures f for each contender, round by round, after two rounds of warm-up.
func (b *bench) collect(rounds int, f func(c *contender) (sample, error)) (got map[string][]sample, notes map[string]string, err error) {
	got, notes = make(map[string][]sample), make(map[string]string)
	for i := range rounds + warmUp {
		for j := range b.all {
			c := &b.all[(i+j)%len(b.all)] // none is always the one after the slowest
			if c.why != "" || notes[c.name] != "" {
				continue
			}
			if c.name == "runc" && i >= warmUp && i%4 != 0 {
				continue // it takes long and varies little
			}
			s, err := f(c)
			switch {
			case err != nil && c.name == "skiff":
				return nil, nil, err
			case err != nil:
				notes[c.name] = err.Error()
			case i >= warmUp:
				got[c.name] = append(got[c.name], s)
			}
		}
	}
	return got, notes, nil
}

const warmUp = 2

// time adds a row with what collect finds, in milliseconds.
func (b *bench) time(name string, g goal, rounds int, f func(c *contender) (sample, error)) error {
	got, notes, err := b.collect(rounds, f)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b.rows = append(b.rows, summary(name, g, got, notes))
	return nil
}

// summary makes a row of measurements.
func summary(name string, g goal, got map[string][]sample, notes map[string]string) row {
	r := row{Name: name, Unit: "ms", goal: g, Notes: notes, Values: map[string]float64{}, Low: map[string]float64{},
		CPU: map[string]float64{}, LowCPU: map[string]float64{}, Faults: map[string]float64{}}
	for k, all := range got {
		if len(all) == 0 {
			continue
		}
		wall := sorted(all, func(s sample) float64 { return ms(s.wall) })
		cpu := sorted(all, func(s sample) float64 { return ms(s.cpu) })
		r.Values[k], r.Low[k] = quantile(wall, 0.5), quantile(wall, 0.1)
		r.CPU[k], r.LowCPU[k] = quantile(cpu, 0.5), quantile(cpu, 0.1)
		r.Faults[k] = quantile(sorted(all, func(s sample) float64 { return float64(s.faults) }), 0.5)
	}
	return r
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func sorted(all []sample, f func(sample) float64) []float64 {
	v := make([]float64, len(all))
	for i := range all {
		v[i] = f(all[i])
	}
	slices.Sort(v)
	return v
}

// quantile returns the value below which the part q of the sorted values is. v must not
// be empty.
func quantile(v []float64, q float64) float64 { return v[int(q*float64(len(v)-1)+0.5)] }

// parallel runs n containers at once.
func (c *contender) parallel(n int) (sum sample, err error) {
	type result struct {
		sample
		err error
	}
	results := make(chan result)
	start := time.Now()
	for i := range n {
		go func() {
			s, err := c.call("run", "--bundle", plain.dir(), fmt.Sprintf("p%d", i))
			results <- result{s, err}
		}()
	}
	for range n {
		r := <-results
		sum.add(r.sample)
		err = errors.Join(err, r.err)
	}
	sum.wall = time.Since(start)
	return sum, err
}

// each runs f for every contender that takes part.
func (b *bench) each(f func(c *contender) error) error {
	for i := range b.all {
		if c := &b.all[i]; c.why == "" {
			if err := f(c); err != nil {
				return err
			}
		}
	}
	return nil
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Clean(to), b, 0o755)
}
