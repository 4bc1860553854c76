// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// The benchmarks run on the host's hierarchies: for pure cgroup v2 run them in a mount
// namespace (unshare) that has it.

func defaultResources() *specs.LinuxResources {
	return &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}}}
}

// BenchmarkStart measures what a start does: resolve, create, limit, open.
func BenchmarkStart(b *testing.B) {
	for i := range b.N {
		g, err := New(Config{ID: fmt.Sprintf("skiff-bench-%d-%d", os.Getpid(), i), Resources: defaultResources()})
		if err != nil {
			b.Fatal(err)
		}
		if err := g.Create(); err != nil {
			b.Fatal(err)
		}
		if err := g.Limit(); err != nil {
			b.Fatal(err)
		}
		f, err := g.Open()
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
		b.StopTimer()
		if err := g.Remove(soon()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkDelete measures killing a sleeping process until its cgroup is gone.
func BenchmarkDelete(b *testing.B) {
	for i := range b.N {
		b.StopTimer()
		g, err := New(Config{ID: fmt.Sprintf("skiff-bench-%d-%d", os.Getpid(), i), Resources: defaultResources()})
		if err != nil {
			b.Fatal(err)
		}
		if err := g.Create(); err != nil {
			b.Fatal(err)
		}
		c := exec.Command("/bin/sleep", "60")
		if err := start(g, c); err != nil {
			b.Fatal(err)
		}
		waited := make(chan error)
		go func() { waited <- c.Wait() }()
		b.StartTimer()
		if err := g.Kill(); err != nil {
			b.Fatal(err)
		}
		if err := g.Remove(soon()); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		<-waited
		b.StartTimer()
	}
}
