package launch

import (
	"github.com/skiff-oci/skiff/libcontainer/cred"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"golang.org/x/sys/unix"
)

// tunes tells that scheduler and I/O priority are set from outside: the
// runtime has a privilege for it that the child's user namespace takes away,
// or the child's two threads must not come to compete in real time for a CPU
// (load_with_listener in child/seccomp.c).
func (b *binding) tunes() bool { return (b.userns || b.notifies()) && b.facts.may(unix.CAP_SYS_NICE) }

// notifies tells that the filter has system calls wait for an agent.
func (b *binding) notifies() bool { return b.filter != nil && b.filter.Notify }

// confine loads the filter as late as can be: it is written for the user's
// program, not for us. Without no_new_privs one capset comes after it.
func (b *binding) confine() {
	if b.notifies() {
		return // it is there already
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

// spare is what has to be kept until the filter is loaded: without
// no_new_privs, seccomp(2) wants CAP_SYS_ADMIN; and until the hooks have run, if
// they have to give up what the program has.
func (b *binding) spare() (caps uint64) {
	if b.filter != nil && !b.Launch.Process.NoNewPrivs {
		caps = 1 << unix.CAP_SYS_ADMIN
	}
	if b.hooksTrace() {
		caps |= 1 << unix.CAP_SETPCAP
	}
	return caps
}

// hooksTrace reports whether a startContainer hook would have CAP_SYS_PTRACE
// over the child, which waits for it without the program's filter. A new user
// namespace gives none over it, as the child was executed outside; and with a
// listener the child has the filter already.
func (b *binding) hooksTrace() bool {
	l := b.Launch
	if l.Joined || b.userns || b.notifies() || len(l.Hooks.StartContainer) == 0 {
		return false
	}
	caps := &l.Process.Caps
	may := (caps.Bounding | caps.Permitted | caps.Inheritable) & b.granted
	return may>>unix.CAP_SYS_PTRACE&1 != 0 && b.granted>>unix.CAP_SETPCAP&1 != 0
}

// ownLimits sets the resource limits that the runtime has no privilege to set
// for another user's process, and always the one on descriptors, as late as can
// be, since it would be in our own way. None of them raises a hard limit.
func (b *binding) ownLimits() {
	for _, r := range b.Launch.Process.Rlimits {
		if b.setsLimits() && r.Resource != unix.RLIMIT_NOFILE {
			continue
		}
		b.prog.Add(r.Field, program.Rlimit{Name: r.Name, Resource: r.Resource, Soft: r.Soft, Hard: r.Hard})
	}
}

// setsLimits tells that the runtime may set any resource limit of the child
// (prlimit(2)).
func (b *binding) setsLimits() bool { return b.facts.may(unix.CAP_SYS_RESOURCE) }
