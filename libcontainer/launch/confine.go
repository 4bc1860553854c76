// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"slices"

	"github.com/skiff-oci/skiff/libcontainer/cred"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"golang.org/x/sys/unix"
)

// tunes reports whether the runtime sets scheduler and I/O priority from outside.
// That is so if it has the privilege and the child, in a user namespace, has not, or
// if the child's two threads must not compete for a CPU in real time
// (load_with_listener in child/src/seccomp.c).
func (b *binding) tunes() bool { return (b.userns || b.notifies()) && b.facts.may(unix.CAP_SYS_NICE) }

// notifies reports whether the filter has system calls wait for an agent.
func (b *binding) notifies() bool { return b.filter != nil && b.filter.Notify }

// confine loads the filter as late as possible, since it is written for the user's
// program, not for the child. Without no_new_privs one capset comes after it.
func (b *binding) confine() {
	if b.notifies() {
		return // it has been loaded before
	}
	b.loadFilter()
	cred.Finish(b.prog, &b.Launch.Process, b.granted, b.spare())
}

func (b *binding) loadFilter() {
	if b.Launch.Process.NoNewPrivs {
		b.prog.Add(b.field("noNewPrivileges"), program.NoNewPrivs{})
	}
	if f := b.filter; f != nil {
		field := "linux.seccomp"
		if b.Launch.SeccompRaw != nil {
			field = plan.AnnotationField(plan.SeccompRaw)
		}
		b.prog.Add(field, program.Seccomp{BPF: f.BPF, Flags: uint64(f.Flags), Listener: f.Notify})
	}
}

// spare returns the capabilities that the child keeps for a while beyond those of
// the program. Without no_new_privs it needs CAP_SYS_ADMIN to load the filter
// (seccomp(2)), and hooks need CAP_SETPCAP if they have to drop CAP_SYS_PTRACE.
func (b *binding) spare() (caps uint64) {
	if b.filter != nil && !b.Launch.Process.NoNewPrivs {
		caps = 1 << unix.CAP_SYS_ADMIN
	}
	if b.hooksTrace() {
		caps |= 1 << unix.CAP_SETPCAP
	}
	return caps
}

// hooksTrace reports whether a startContainer hook could use CAP_SYS_PTRACE on the
// child, which waits for the hook without the program's filter. In a user namespace
// it could not, since the child was executed outside; and with a listener the child
// has the filter already.
func (b *binding) hooksTrace() bool {
	l := b.Launch
	if l.Joined || b.userns || b.notifies() || len(l.Hooks.StartContainer) == 0 {
		return false
	}
	caps := &l.Process.Caps
	may := (caps.Bounding | caps.Permitted | caps.Inheritable) & b.granted
	return may>>unix.CAP_SYS_PTRACE&1 != 0 && b.granted>>unix.CAP_SETPCAP&1 != 0
}

// ownLimits adds the resource limits that the child sets itself: all of them if the
// runtime has no privilege to set another user's, and always the one on descriptors,
// which would hinder the child if it were set earlier. None raises a hard limit.
func (b *binding) ownLimits() {
	for _, r := range b.Launch.Process.Rlimits {
		if b.setsLimits() && r.Resource != unix.RLIMIT_NOFILE {
			continue
		}
		b.prog.Add(r.Field, program.Rlimit{Name: r.Name, Resource: r.Resource, Soft: r.Soft, Hard: r.Hard})
	}
}

// readyEarly reports whether the child says that it is ready before it becomes the user, so
// that the runtime does its part meanwhile, and neither waits for the other. What it then
// fails to do is a failure like that of the execve. It is not early if the runtime sets
// what could hinder it, such as a limit on the user's processes, or has the caller tell
// others of a process that must be complete.
func (b *binding) readyEarly() bool {
	p := &b.Launch.Process
	if b.Hold || b.Waits.Ready || b.notifies() || b.tunes() && (p.Scheduler != nil || p.IOPriority != nil) {
		return false
	}
	hinders := func(r plan.Rlimit) bool { return r.Resource != unix.RLIMIT_NOFILE }
	return !b.setsLimits() || !slices.ContainsFunc(p.Rlimits, hinders)
}

// setsLimits reports whether the runtime may set any resource limit of the child
// (prlimit(2)).
func (b *binding) setsLimits() bool { return b.facts.may(unix.CAP_SYS_RESOURCE) }
