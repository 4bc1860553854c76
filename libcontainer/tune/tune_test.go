// SPDX-License-Identifier: Apache-2.0

package tune

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/tests/listing"
	"golang.org/x/sys/unix"
)

// onThread runs f on a thread that ends with it, and whose settings nobody
// else is to have.
func onThread(f func(tid int)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		f(unix.Gettid())
	}()
	<-done
}

// Each value is at its offset in the kernel's structure.
func TestAttr(t *testing.T) {
	s := &plan.Scheduler{Policy: unix.SCHED_DEADLINE, Flags: 1, Nice: -2, Priority: 3, Runtime: 4, Deadline: 5, Period: 6}
	want, err := binary.Append(nil, binary.NativeEndian, unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_DEADLINE, Flags: 1, Nice: -2, Priority: 3, Runtime: 4, Deadline: 5, Period: 6,
	})
	if got := attr(s); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v, %v, expected %v", got, err, want)
	}
}

// sched_getattr(2) returns what was set. No privilege is needed to raise the nice value.
func TestApplyScheduler(t *testing.T) {
	onThread(func(tid int) {
		proc := &plan.Process{Scheduler: &plan.Scheduler{Name: "SCHED_BATCH", Policy: unix.SCHED_BATCH, Nice: 19}}
		if err := Apply(tid, proc); err != nil {
			t.Error(err)
			return
		}
		got, err := unix.SchedGetAttr(tid, 0)
		if err != nil || got.Policy != unix.SCHED_BATCH || got.Nice != 19 {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestApplyIOPriority(t *testing.T) {
	const idle = uint32(3 << 13)
	onThread(func(tid int) {
		n := idle
		if err := Apply(tid, &plan.Process{IOPriority: &n}); err != nil {
			t.Error(err)
			return
		}
		got, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, 1, uintptr(tid), 0)
		if errno != 0 || uint32(got) != idle {
			t.Errorf("got %#x, %v", got, errno)
		}
	})
}

func TestApplyFails(t *testing.T) {
	bad := uint32(7 << 13) // no such class
	for name, tt := range map[string]struct {
		pid  int
		proc plan.Process
		want string
	}{
		"nothing to set": {},
		"policy": {
			0, plan.Process{Field: "process", Scheduler: &plan.Scheduler{Name: "SCHED_NEW", Policy: 77}},
			"process.scheduler: set SCHED_NEW: invalid argument (the kernel does not support this policy or flag)",
		},
		"no process":  {1<<31 - 1, plan.Process{Scheduler: &plan.Scheduler{Name: "SCHED_OTHER"}}, "scheduler: set SCHED_OTHER: no such process"},
		"io priority": {0, plan.Process{Field: "process", IOPriority: &bad}, "process.ioPriority: invalid argument"},
	} {
		got := ""
		if err := Apply(tt.pid, &tt.proc); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %q, expected %q", name, got, tt.want)
		}
	}
}

func cpus(t *testing.T) []byte {
	t.Helper()
	mask, err := sys.SchedGetaffinity(0)
	if err != nil {
		t.Error(err)
	}
	return bytes.TrimRight(mask, "\x00")
}

// one is a mask with one of the CPUs in it.
func one(mask []byte) []byte {
	for i, b := range mask {
		if b != 0 {
			some := make([]byte, (i+8)&^7)
			some[i] = b & -b
			return some
		}
	}
	return nil
}

// What Near starts is on the CPUs asked for, and the runtime then runs where it did before.
func TestNear(t *testing.T) {
	failed := errors.New("failed")
	onThread(func(int) {
		before := cpus(t)
		initial := one(before)
		err := Near(&plan.Process{CPUInitial: initial}, func() error {
			if got := cpus(t); !bytes.Equal(got, bytes.TrimRight(initial, "\x00")) {
				t.Errorf("started on %x, expected %x", got, initial)
			}
			return failed
		})
		if err != failed {
			t.Errorf("the error of the start is %v", err)
		}
		if got := cpus(t); !bytes.Equal(got, before) {
			t.Errorf("left on %x, it was %x", got, before)
		}
		if err := Near(new(plan.Process), func() error { return failed }); err != failed {
			t.Errorf("without CPUs: %v", err)
		}
		err = Near(&plan.Process{CPUInitial: make([]byte, 8)}, func() error { t.Error("started on no CPU"); return nil })
		const want = "execCPUAffinity.initial: invalid argument (none of these CPUs exists and is in the cgroup's cpuset)"
		if err == nil || err.Error() != want {
			t.Errorf("on no CPU: %v", err)
		}
	})
}

// With a privilege that the child lacks the runtime sets what takes it, and
// the child the rest.
func TestAdd(t *testing.T) {
	n, persona := uint32(1<<13|4), uint32(8)
	all := plan.Process{
		Field: "process", Scheduler: &plan.Scheduler{Name: "SCHED_RR", Priority: 5}, IOPriority: &n, CPUInitial: make([]byte, 8), CPUFinal: make([]byte, 16),
		MemoryPolicy: &plan.MemoryPolicy{Name: "MPOL_BIND", Mode: 1<<15 | 2, Nodes: make([]byte, 8)}, Personality: &persona,
	}
	for name, tt := range map[string]struct {
		proc    plan.Process
		outside bool
		want    string
	}{
		"nothing": {},
		"all": {all, false, `
			sched("SCHED_RR", data[56])  # process.scheduler
			ioprio(0x2004)  # process.ioPriority
			affinity(data[16])  # process.execCPUAffinity.final
			mempolicy("MPOL_BIND", 0x8002, data[8])  # linux.memoryPolicy
			personality(0x8)  # linux.personality
		`},
		"all, from outside": {all, true, `
			affinity(data[16])  # process.execCPUAffinity.final
			mempolicy("MPOL_BIND", 0x8002, data[8])  # linux.memoryPolicy
			personality(0x8)  # linux.personality
		`},
		"zeros":     {plan.Process{IOPriority: new(uint32), Personality: new(uint32)}, false, "ioprio()  # ioPriority\npersonality(0x0)  # linux.personality"},
		"scheduler": {plan.Process{Scheduler: &plan.Scheduler{Name: "SCHED_IDLE"}}, false, `sched("SCHED_IDLE", data[56])  # scheduler`},
	} {
		t.Run(name, func(t *testing.T) {
			p := new(program.Program)
			Add(p, &tt.proc, tt.outside)
			listing.Compare(t, p, tt.want)
		})
	}
}

// The caller's CPU affinity is reset unless config.json has one.
func TestSpread(t *testing.T) {
	some, all := make([]byte, 8), fmt.Sprintf("affinity(flags=optional, data[%d])", len(sys.AllCPUs()))
	for name, tt := range map[string]struct {
		proc     plan.Process
		confined bool
		want     string
	}{
		"all CPUs":                {},
		"confined":                {confined: true, want: all},
		"confined, with initial":  {proc: plan.Process{CPUInitial: some}, confined: true},
		"confined, with final":    {proc: plan.Process{CPUFinal: some}, confined: true},
		"all CPUs, with initial":  {proc: plan.Process{CPUInitial: some}},
		"confined, with a policy": {proc: plan.Process{Scheduler: new(plan.Scheduler)}, confined: true, want: all},
	} {
		t.Run(name, func(t *testing.T) {
			p := new(program.Program)
			Spread(p, &tt.proc, tt.confined)
			listing.Compare(t, p, tt.want)
		})
	}
}
