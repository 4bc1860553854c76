// SPDX-License-Identifier: Apache-2.0

// Package tune sets how the user's process is scheduled and where its memory comes
// from: scheduler, I/O priority, CPU affinity, memory policy, personality.
//
// A process may lower its own priority. To raise it takes CAP_SYS_NICE in the host's
// user namespace, which a process in the container's user namespace does not have.
// For such a process, the runtime sets scheduler and I/O priority from outside
// ([Apply]), if it has the privilege itself. Otherwise the child sets them before it
// becomes the user ([Add]).
package tune

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// Add adds the operations by which the child sets all this itself. They run after the
// last fork: a forked process may lose its policy (SCHED_FLAG_RESET_ON_FORK), and one
// with SCHED_DEADLINE may not fork. They run after the cgroups are joined, since the
// kernel then resets the CPU affinity. The scheduler comes before the affinity,
// since SCHED_DEADLINE requires that the process may run on all CPUs.
//
// With outside, the runtime calls [Apply] for scheduler and I/O priority.
func Add(p *program.Program, proc *plan.Process, outside bool) {
	if s := proc.Scheduler; s != nil && !outside {
		p.Add(field(proc, "scheduler"), program.Sched{Name: s.Name, Attr: attr(s)})
	}
	if n := proc.IOPriority; n != nil && !outside {
		p.Add(field(proc, "ioPriority"), program.IOPriority{Value: uint64(*n)})
	}
	if mask := proc.CPUFinal; mask != nil {
		p.Add(field(proc, "execCPUAffinity.final"), program.Affinity{Mask: mask})
	}
	if m := proc.MemoryPolicy; m != nil {
		p.Add("linux.memoryPolicy", program.MemoryPolicy{Name: m.Name, Mode: uint64(m.Mode), Nodes: m.Nodes})
	}
	if n := proc.Personality; n != nil {
		p.Add("linux.personality", program.Personality{Value: uint64(*n)})
	}
}

// Spread lets the process run on all CPUs that its cgroup allows if the caller has
// confined skiff to some of them: the CPUs of an engine are not meant for its
// containers. It comes before [Add], for SCHED_DEADLINE.
func Spread(p *program.Program, proc *plan.Process, confined bool) {
	if confined && proc.CPUInitial == nil && proc.CPUFinal == nil {
		p.Add("", program.Affinity{Mask: sys.AllCPUs(), Try: true})
	}
}

// Apply sets the scheduler and the I/O priority of process pid from outside.
func Apply(pid int, proc *plan.Process) error {
	if s := proc.Scheduler; s != nil {
		if err := sys.SchedSetattr(pid, attr(s)); err != nil {
			return hinted(fmt.Errorf("%s: set %s: %w", field(proc, "scheduler"), s.Name, err), func(errno unix.Errno) string { return program.SchedHint(s.Name, errno) })
		}
	}
	if n := proc.IOPriority; n != nil {
		if err := sys.SetIOPriority(pid, *n); err != nil {
			return hinted(fmt.Errorf("%s: %w", field(proc, "ioPriority"), err), program.IOPriorityHint)
		}
	}
	return nil
}

// Near calls start on the CPUs of execCPUAffinity.initial: a process that start clones
// is on them from its first instruction on, before it is in the container's cgroup.
func Near(proc *plan.Process, start func() error) error {
	if proc.CPUInitial == nil {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := sys.SchedGetaffinity(0)
	if err != nil {
		return err
	}
	if err := sys.SchedSetaffinity(0, proc.CPUInitial); err != nil {
		return hinted(fmt.Errorf("%s: %w", field(proc, "execCPUAffinity.initial"), err), program.AffinityHint)
	}
	err = start()
	_ = sys.SchedSetaffinity(0, before) // if the cpuset has just lost these CPUs, that is not an error of the start
	return err
}

// attr encodes struct sched_attr in its size since Linux 5.3. config.json has no
// values for the utilisation clamps, so they are 0 even if the flags ask for them.
func attr(s *plan.Scheduler) []byte {
	const size = 56
	b := make([]byte, 0, size)
	le := binary.NativeEndian
	b = le.AppendUint32(b, size)
	b = le.AppendUint32(b, s.Policy)
	b = le.AppendUint64(b, s.Flags)
	b = le.AppendUint32(b, uint32(s.Nice))
	b = le.AppendUint32(b, s.Priority)
	b = le.AppendUint64(b, s.Runtime)
	b = le.AppendUint64(b, s.Deadline)
	b = le.AppendUint64(b, s.Period)
	return append(b, make([]byte, size-len(b))...)
}

// hinted adds to err what one of the hint functions of package program says about the
// errno in it, " (...)".
func hinted(err error, of func(unix.Errno) string) error {
	errno := unix.Errno(0)
	if !errors.As(err, &errno) {
		return err
	}
	text := of(errno)
	if inside, ok := strings.CutPrefix(text, " ("); ok {
		text = strings.TrimSuffix(inside, ")")
	}
	return fault.Hint(err, text)
}

func field(p *plan.Process, name string) string { return plan.Under(p.Field, name) }
