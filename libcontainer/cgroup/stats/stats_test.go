// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/opencontainers/cgroups"
	cgroupsv1 "github.com/opencontainers/cgroups/fs"
	cgroupsv2 "github.com/opencontainers/cgroups/fs2"
	"github.com/skiff-oci/skiff/libcontainer/cgroup"
)

// cgroupOf makes a cgroup with a process in it that has used some CPU.
func cgroupOf(t *testing.T) *cgroup.Group {
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
	t.Cleanup(func() {
		if err := g.Kill(); err != nil {
			t.Error(err)
		}
		if err := g.Remove(time.Now().Add(10 * time.Second)); err != nil {
			t.Error(err)
		}
	})
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
	return g
}

func TestRead(t *testing.T) {
	g := cgroupOf(t)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		s, err := Read(g)
		if err != nil {
			t.Fatal(err)
		}
		if s.CPU.Usage.Total > 1e6 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a loop in the cgroup used %d ns of CPU", s.CPU.Usage.Total)
		}
	}
	if err := g.Freeze(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// The kernel may free memory at any time, also between the two reads.
	var differ []string
	for range 100 {
		if differ = compare(t, g); len(differ) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error(strings.Join(differ, "\n"))
}

// compare compares the statistics with those that the library of other runtimes reads
// of the same frozen group.
func compare(t *testing.T, g *cgroup.Group) (differ []string) {
	t.Helper()
	want, err := libraryStats(g)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"CPU", got.CPU.Usage.Total, want.CpuStats.CpuUsage.TotalUsage},
		{"CPU of programs", got.CPU.Usage.User, want.CpuStats.CpuUsage.UsageInUsermode},
		{"CPU of the kernel", got.CPU.Usage.Kernel, want.CpuStats.CpuUsage.UsageInKernelmode},
		{"CPU by CPU", got.CPU.Usage.PerCPU, want.CpuStats.CpuUsage.PercpuUsage},
		{"CPU of programs by CPU", got.CPU.Usage.PerCPUUser, want.CpuStats.CpuUsage.PercpuUsageInUsermode},
		{"CPU of the kernel by CPU", got.CPU.Usage.PerCPUKernel, want.CpuStats.CpuUsage.PercpuUsageInKernelmode},
		{"throttling", got.CPU.Throttling, Throttling(want.CpuStats.ThrottlingData)},
		{"memory", got.Memory.Usage.Usage, want.MemoryStats.Usage.Usage},
		{"memory's limit", got.Memory.Usage.Limit, want.MemoryStats.Usage.Limit},
		{"memory at most", got.Memory.Usage.Max, want.MemoryStats.Usage.MaxUsage},
		{"swap", got.Memory.Swap.Usage, want.MemoryStats.SwapUsage.Usage},
		{"swap's limit", got.Memory.Swap.Limit, want.MemoryStats.SwapUsage.Limit},
		{"cache", got.Memory.Cache, want.MemoryStats.Cache},
		{"pids", got.Pids.Current, want.PidsStats.Current},
		{"pids' limit", got.Pids.Limit, want.PidsStats.Limit},
		{"bytes", len(got.Blkio.IoServiceBytesRecursive), len(want.BlkioStats.IoServiceBytesRecursive)},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			differ = append(differ, fmt.Sprintf("%s: %v, the library reads %v", c.what, c.got, c.want))
		}
	}
	return differ
}

func libraryStats(g *cgroup.Group) (*cgroups.Stats, error) {
	paths := g.Paths()
	c := &cgroups.Cgroup{Resources: &cgroups.Resources{}}
	var m cgroups.Manager
	var err error
	if unified, ok := paths[""]; ok && len(paths) == 1 {
		m, err = cgroupsv2.NewManager(c, unified)
	} else {
		delete(paths, "")
		m, err = cgroupsv1.NewManager(c, paths)
	}
	if err != nil {
		return nil, err
	}
	return m.GetStats()
}

// tree makes a cgroup directory from lines of "file: contents", in which | is a
// newline.
func tree(text string) fs.FS {
	dir := fstest.MapFS{}
	for line := range strings.Lines(text) {
		if name, content, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			dir[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(content, "|", "\n") + "\n")}
		}
	}
	return dir
}

const pressure = "some avg10=1.50 avg60=0.25 avg300=0.00 total=42|full avg10=0.00 avg60=0.00 avg300=0.00 total=7"

func unifiedTree() fs.FS {
	return tree(`
		cpu.stat: usage_usec 30|user_usec 10|system_usec 20|nr_periods 5|nr_throttled 2|throttled_usec 9|nr_bursts 1|burst_usec 3
		cpu.pressure: ` + pressure + `
		memory.pressure: ` + pressure + `
		io.pressure: ` + pressure + `
		irq.pressure: full avg10=0.00 avg60=0.00 avg300=0.00 total=11
		cpuset.cpus.effective: 0-1,3
		cpuset.mems.effective: 0
		memory.stat: anon 100|file 50
		memory.current: 1000
		memory.max: 2000
		memory.peak: 1500
		memory.swap.current: 10
		memory.swap.max: max
		memory.swap.peak: 20
		memory.swap.events: high 0|max 4|fail 0
		memory.zswap.current: 6
		memory.zswap.max: max
		memory.events: low 1|high 2|max 3|oom 4|oom_kill 5|oom_group_kill 6
		pids.current: 3
		pids.max: max
		pids.peak: 8
		io.stat: 8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 cost.usage=7|7:0
		hugetlb.2MB.current: 4
		hugetlb.2MB.max: 8
		hugetlb.2MB.events: max 1
		hugetlb.2MB.rsvd.current: 6
		hugetlb.2MB.rsvd.max: max
		rdma.current: mlx4_0 hca_handle=2 hca_object=3
		rdma.max: mlx4_0 hca_handle=max hca_object=2000
		misc.current: sev 1|sev_es 0
		misc.max: sev max|sev_es 5
		misc.events: sev.max 2
	`)
}

const unifiedJSON = `{
"cpu":{"usage":{"total":30000,"kernel":20000,"user":10000},"throttling":{"periods":5,"throttledPeriods":2,"throttledTime":9000},
"psi":PSI,"burst":{"periods":1,"time":3000}},
"cpuset":{"cpus":[0,1,3],"cpu_exclusive":0,"mems":[0],"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,"memory_spread_page":0,
"memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":0,"sched_relax_domain_level":0},
"memory":{"cache":50,"usage":{"limit":2000,"usage":1000,"max":1500,"failcnt":0},
"swap":{"limit":18446744073709551615,"usage":1010,"failcnt":0},"kernel":{"limit":0,"failcnt":0},"kernelTCP":{"limit":0,"failcnt":0},
"raw":{"anon":100,"file":50},"psi":PSI,
"swapOnly":{"limit":18446744073709551615,"usage":10,"max":20,"failcnt":4},"zswap":{"limit":18446744073709551615,"usage":6,"failcnt":0},
"events":{"low":1,"high":2,"max":3,"oom":4,"oom_kill":5,"oom_group_kill":6}},
"pids":{"current":3,"peak":8},
"blkio":{"ioServiceBytesRecursive":[{"major":8,"minor":16,"op":"Read","value":1},{"major":8,"minor":16,"op":"Write","value":2},
{"major":8,"minor":16,"op":"Discard","value":5}],"ioServicedRecursive":[{"major":8,"minor":16,"op":"Read","value":3},
{"major":8,"minor":16,"op":"Write","value":4},{"major":8,"minor":16,"op":"Discard","value":6}],
"psi":PSI,"costUsage":[{"major":8,"minor":16,"op":"Count","value":7}]},
"hugetlb":{"2MB":{"usage":6,"failcnt":1,"rsvd":{"usage":6,"limit":18446744073709551615},"faulted":{"usage":4,"limit":8}}},
"rdma":{"mlx4_0":{"current":{"hca_handles":2,"hca_objects":3},"max":{"hca_handles":18446744073709551615,"hca_objects":2000}}},
"misc":{"sev":{"usage":1,"max":18446744073709551615,"events":2},"sev_es":{"usage":0,"max":5,"events":0}},
"irq":{"psi":{"full":{"avg10":0,"avg60":0,"avg300":0,"total":11}}}}`

const psiJSON = `{"some":{"avg10":1.5,"avg60":0.25,"avg300":0,"total":42},"full":{"avg10":0,"avg60":0,"avg300":0,"total":7}}`

func document(t *testing.T, dirs map[string]fs.FS) string {
	t.Helper()
	s, err := read(dirs)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestUnified(t *testing.T) {
	want := strings.ReplaceAll(strings.ReplaceAll(unifiedJSON, "\n", ""), "PSI", psiJSON)
	if got := document(t, map[string]fs.FS{"": unifiedTree()}); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

const legacyJSON = `{
"cpu":{"usage":{"total":30,"percpu":[10,20],"percpu_kernel":[6,5],"percpu_user":[4,15],"kernel":20000000,"user":10000000},
"throttling":{"periods":5,"throttledPeriods":2,"throttledTime":9},"psi":PSI,"burst":{"periods":1,"time":3}},
"cpuset":{"cpus":[0,1],"cpu_exclusive":0,"mems":[0],"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,"memory_spread_page":0,
"memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":1,"sched_relax_domain_level":-1},
"memory":{"cache":50,"usage":{"limit":2000,"usage":1000,"max":1500,"failcnt":7},"swap":{"limit":3000,"usage":1010,"max":1600,"failcnt":1},
"kernel":{"limit":400,"usage":300,"max":350,"failcnt":0},"kernelTCP":{"limit":40,"usage":30,"max":35,"failcnt":0},"raw":{"cache":50,"rss":9},
"events":{"low":0,"high":0,"max":0,"oom":0,"oom_kill":5,"oom_group_kill":0}},
"pids":{"current":3,"limit":10},
"blkio":{"ioServiceBytesRecursive":[{"major":8,"op":"Read","value":1},{"major":8,"op":"Total","value":1}],
"ioServicedRecursive":[{"major":8,"op":"Write","value":2}],"sectorsRecursive":[{"major":8,"value":12}]},
"hugetlb":{"2MB":{"usage":4,"max":5,"failcnt":1,"faulted":{"usage":4,"limit":8}}}}`

// A hybrid host: controllers are read from v1 and pressure from v2. What v2 has of
// these controllers is ignored.
func TestLegacy(t *testing.T) {
	memory := ""
	for prefix, values := range map[string][4]int{"": {2000, 1000, 1500, 7}, "memsw.": {3000, 1010, 1600, 1},
		"kmem.": {400, 300, 350, 0}, "kmem.tcp.": {40, 30, 35, 0}} {
		for i, name := range []string{"limit_in_bytes", "usage_in_bytes", "max_usage_in_bytes", "failcnt"} {
			memory += fmt.Sprintf("memory.%s%s: %d\n", prefix, name, values[i])
		}
	}
	dirs := map[string]fs.FS{
		"":        tree("cpu.stat: usage_usec 99\ncpu.pressure: " + pressure),
		"cpuacct": tree("cpuacct.usage: 30\ncpuacct.usage_percpu: 10 20\ncpuacct.stat: user 1|system 2\ncpuacct.usage_all: cpu user system|0 4 6|1 15 5"),
		"cpu":     tree("cpu.stat: nr_periods 5|nr_throttled 2|throttled_time 9|nr_bursts 1|burst_time 3"),
		"cpuset":  tree("cpuset.cpus: 0-1\ncpuset.mems: 0\ncpuset.sched_load_balance: 1\ncpuset.sched_relax_domain_level: -1"),
		"memory":  tree(memory + "memory.stat: cache 50|rss 9\nmemory.oom_control: oom_kill_disable 0|under_oom 0|oom_kill 5"),
		"pids":    tree("pids.current: 3\npids.max: 10"),
		"blkio": tree("blkio.bfq.io_service_bytes_recursive: Total 0\nblkio.throttle.io_service_bytes_recursive: 8:0 Read 1|8:0 Total 1|Total 1\n" +
			"blkio.bfq.io_serviced_recursive: 8:0 Write 2|Total 2\nblkio.throttle.io_serviced: 8:0 Write 3|Total 3\nblkio.sectors_recursive: 8:0 12"),
		"hugetlb": tree("hugetlb.2MB.usage_in_bytes: 4\nhugetlb.2MB.limit_in_bytes: 8\nhugetlb.2MB.max_usage_in_bytes: 5\nhugetlb.2MB.failcnt: 1"),
	}
	want := strings.ReplaceAll(strings.ReplaceAll(legacyJSON, "\n", ""), "PSI", psiJSON)
	if got := document(t, dirs); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A missing file is no error; one without the expected number is an error that names
// the file.
func TestMissingAndDamaged(t *testing.T) {
	s, err := read(map[string]fs.FS{"": tree("")})
	if err != nil || s.Memory.Usage != (MemoryEntry{}) || s.CPU.PSI != nil {
		t.Errorf("of nothing: %v, %v", s, err)
	}
	for _, line := range []string{"memory.current: x", "cpu.stat: usage_usec -1", "cpuset.cpus.effective: 0-x", "io.stat: 8:0 rbytes=x", "cpu.pressure: some avg10=x"} {
		file, _, _ := strings.Cut(line, ":")
		if _, err := read(map[string]fs.FS{"": tree(line)}); err == nil || !strings.HasPrefix(err.Error(), file+": ") {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// gone is a cgroup that is removed when its files have been listed.
type gone struct{ fs.FS }

func (g gone) Open(name string) (fs.File, error) {
	if name != "." {
		return nil, fs.ErrNotExist
	}
	return g.FS.Open(name)
}

func TestReadWhileRemoved(t *testing.T) {
	for name, dirs := range map[string]map[string]fs.FS{
		"v1": {"hugetlb": gone{tree("hugetlb.2MB.usage_in_bytes: 4")}},
		"v2": {"": gone{unifiedTree()}},
	} {
		if s, err := read(dirs); err != nil || len(s.Hugetlb) != 0 {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}
