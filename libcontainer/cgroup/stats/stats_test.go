package stats

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
)

func TestRead(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skipf("needs root; this is user %d", os.Getuid())
	}
	g, err := cgroup.New(cgroup.Config{ID: fmt.Sprintf("skiff-stats-%d", os.Getpid())})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Create(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.Kill(); err != nil {
			t.Error(err)
		}
		if err := g.Remove(time.Now().Add(10 * time.Second)); err != nil {
			t.Error(err)
		}
	}()
	c := exec.Command("/bin/sh", "-c", "read x; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 60")
	f, err := g.Open()
	if err != nil {
		t.Fatal(err)
	}
	if f != nil {
		defer f.Close()
		c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = c.Wait() }()
	if err := g.Join(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
	in.Close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		s, err := Read(g)
		if err != nil {
			t.Fatal(err)
		}
		if s.CpuStats.CpuUsage.TotalUsage > 1e6 && s.PidsStats.Current >= 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("a loop in the cgroup used %d ns of CPU in %d processes", s.CpuStats.CpuUsage.TotalUsage, s.PidsStats.Current)
		}
	}
}
