package tune

import (
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// The structure is the kernel's: what is set is what sched_getattr(2) tells.
func TestAttr(t *testing.T) {
	s := &plan.Scheduler{Policy: unix.SCHED_DEADLINE, Flags: 1, Nice: -2, Priority: 3, Runtime: 4, Deadline: 5, Period: 6}
	b := attr(s)
	if len(b) != unix.SizeofSchedAttr || binary.NativeEndian.Uint32(b) != unix.SizeofSchedAttr {
		t.Fatalf("%d bytes, size %d", len(b), binary.NativeEndian.Uint32(b))
	}
	done := make(chan struct{})
	go func() { // a thread that ends with its goroutine
		defer close(done)
		runtime.LockOSThread()
		tid := unix.Gettid()
		if err := sys.SchedSetattr(tid, attr(&plan.Scheduler{Policy: unix.SCHED_BATCH, Nice: 5})); err != nil {
			t.Error(err)
			return
		}
		got, err := unix.SchedGetAttr(tid, 0)
		if err != nil {
			t.Error(err)
			return
		}
		if got.Policy != unix.SCHED_BATCH || got.Nice != 5 {
			t.Errorf("got %+v", got)
		}
	}()
	<-done
}

// With a privilege that the child lacks the runtime sets what takes it, and
// the child the rest.
func TestOutside(t *testing.T) {
	n, persona := uint32(1<<13), uint32(8)
	proc := &plan.Process{
		Field: "process", Scheduler: &plan.Scheduler{Name: "SCHED_RR"}, IOPriority: &n, CPUFinal: make([]byte, 8),
		MemoryPolicy: &plan.MemoryPolicy{Name: "MPOL_LOCAL"}, Personality: &persona,
	}
	for outside, want := range map[bool]string{
		false: "sched ioprio affinity mempolicy personality",
		true:  "affinity mempolicy personality",
	} {
		p := new(program.Program)
		Add(p, proc, outside)
		var got []string
		for _, op := range p.Ops {
			got = append(got, program.KindOf(op.Operation).String())
		}
		if have := strings.Join(got, " "); have != want {
			t.Errorf("outside %v: %s, expected %s", outside, have, want)
		}
	}
}

// The caller's CPUs are undone unless config.json has some.
func TestSpread(t *testing.T) {
	some := make([]byte, 8)
	for name, tt := range map[string]struct {
		proc     plan.Process
		confined bool
		want     int
	}{
		"all CPUs":                {},
		"confined":                {confined: true, want: 1},
		"confined, with initial":  {proc: plan.Process{CPUInitial: some}, confined: true},
		"confined, with final":    {proc: plan.Process{CPUFinal: some}, confined: true},
		"all CPUs, with initial":  {proc: plan.Process{CPUInitial: some}},
		"confined, with a policy": {proc: plan.Process{Scheduler: new(plan.Scheduler)}, confined: true, want: 1},
	} {
		p := new(program.Program)
		Spread(p, &tt.proc, tt.confined)
		if len(p.Ops) != tt.want {
			t.Errorf("%s: %d operations, expected %d", name, len(p.Ops), tt.want)
		}
		if tt.want == 1 && !strings.HasPrefix(p.Ops[0].String(), "affinity(flags=1, data[") {
			t.Errorf("%s: %s", name, p.Ops[0])
		}
	}
}
