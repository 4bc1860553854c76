package cgroup

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// The benchmarks run on the host as it is: `unshare`d onto a pure cgroup v2
// for that, natively for v1.

func defaultResources() *specs.LinuxResources {
	return &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}}}
}

// BenchmarkStart is what a start does: resolve, create, limit, open.
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

// BenchmarkDelete kills a sleeping process and returns when its cgroup is gone.
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
