package launch

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/hooks"
	"github.com/skiff-oci/skiff/libcontainer/lsm"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"github.com/skiff-oci/skiff/libcontainer/tune"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// describe is [describe] with all that is known of the operation before create
// has ended.
func (b *binding) describe(m wire.Message) error {
	return describe(b.step(m.Index), m)
}

// step describes an operation, with what it is about.
func (b *binding) step(index int) plan.Step {
	s := b.prog.Step(index)
	if b.tree != nil && index >= 0 && index < len(b.prog.Ops) {
		s.About = b.tree.About(&b.prog.Ops[index])
	}
	return s
}

// describe puts into words that an operation of the child failed.
func describe(s plan.Step, m wire.Message) error {
	if m.Detail == wire.Refused {
		return refused(s, m)
	}
	switch s.Kind {
	case plan.OpHook:
		return hookFailed(s, m)
	case plan.OpLookup:
		return lookupFailed(s, m)
	case plan.OpExec:
		if len(s.Words) == 0 {
			return errors.New("process: is required for start, and config.json has none")
		}
		return field(s.Field, fmt.Errorf("exec: %q: %w%s", s.Word(0), m.Errno, execHint(m.Errno)))
	case plan.OpChdir:
		return chdirFailed(s, m)
	}
	if s.Kind == plan.OpSetAttr && s.Flags&unix.MOUNT_ATTR_IDMAP != 0 && len(s.Words) > 0 {
		return field(s.Field, rootfs.IDMapError(s.Word(0), len(s.Words) > 1, m.Errno))
	}
	if s.Kind == plan.OpSetAttr && m.Errno == unix.EPERM && len(s.Words) == 2 {
		if err := rootfs.LockedError(s.Word(0), s.Word(1)); err != nil {
			return field(s.Field+".options", err)
		}
	}
	if m.Detail == wire.NotMade {
		return notMade(&s, m)
	}
	if s.Kind == plan.OpOpenTree && m.Errno == unix.EINVAL {
		return field(s.Field, fmt.Errorf("%s: %w", what(&s), rootfs.BindError(s.Word(0), m.Errno)))
	}
	what := what(&s)
	if s.Kind == plan.OpAmbient && m.Value != 0 {
		what = ambient(m.Value)
	}
	if d := detail(m); d != "" {
		return field(s.Field, fmt.Errorf("%s: %s", what, d))
	}
	if m.Detail == wire.FSLog && m.Text != "" {
		return field(s.Field, fmt.Errorf("%s: %w (%s)", what, m.Errno, m.Text))
	}
	if s.Kind == plan.OpMoveRoot && m.Detail == wire.Where {
		return field(s.Field, fmt.Errorf("%s: the host's mount on %s can be neither removed nor covered: %w", what, m.Text, m.Errno))
	}
	return field(s.Field, fmt.Errorf("%s: %w%s", what, m.Errno, hint(&s, m.Errno)))
}

// notMade names the directory or the file that could not be made on the way to
// what the operation is about.
func notMade(s *plan.Step, m wire.Message) error {
	verb := "mkdir"
	if m.Value != 0 {
		verb = "create"
	}
	err := fmt.Errorf("%s %s: %w", verb, m.Text, m.Errno)
	if s.Kind == plan.OpAttach || s.Kind == plan.OpCopyUp {
		return field(s.Field+".destination", err)
	}
	return field(s.Field, fmt.Errorf("%s: %w", what(s), err))
}

func field(name string, err error) error {
	if name == "" {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// what says what the operation was about to do.
func what(s *plan.Step) string {
	about := cmp.Or(s.About, s.Word(0))
	switch s.Kind {
	case plan.OpFsMount, plan.OpMount:
		return "mount " + about
	case plan.OpOpenTree:
		return "open the source " + about
	case plan.OpAttach:
		return "mount on " + s.Word(0)
	case plan.OpRemount:
		return "remount " + about
	case plan.OpUnmount:
		return "unmount " + s.Word(0)
	case plan.OpSetAttr:
		if s.About != "" {
			return "set the attributes of the mount on " + s.About
		}
		return "set mount attributes"
	case plan.OpCopyUp:
		return "mount on " + s.Word(0) + " with a copy of its content"
	case plan.OpPropagate:
		return "set the propagation of " + s.Word(0)
	case plan.OpPivot:
		return "pivot_root"
	case plan.OpMoveRoot:
		return "move the root mount"
	case plan.OpMask:
		return "mask " + s.Word(0)
	case plan.OpReadonly:
		return "make " + s.Word(0) + " read-only"
	case plan.OpMknod:
		return "make the device " + s.Word(0)
	case plan.OpSymlink:
		return fmt.Sprintf("link %s to %s", s.Word(1), s.Word(0))
	case plan.OpWrite:
		return fmt.Sprintf("write %q to /proc/%s", s.Word(1), s.Word(0))
	case plan.OpOOMScore:
		return "set oom_score_adj to " + s.Word(0)
	case plan.OpUnshare:
		return "make namespaces (" + plan.NamespaceNames(s.Flags) + ")"
	case plan.OpSetns:
		return "join namespaces (" + plan.NamespaceNames(s.Flags) + ")"
	case plan.OpLinkUp:
		return "bring up the interface " + s.Word(0)
	case plan.OpConsole:
		return "make the terminal"
	case plan.OpDevNull:
		return "open the container's /dev/null"
	case plan.OpSeccomp:
		return "load the seccomp filter"
	case plan.OpRlimit:
		return "set " + s.Word(0)
	case plan.OpSched:
		return "set " + s.Word(0)
	case plan.OpIOPrio:
		return "set the I/O priority"
	case plan.OpAffinity:
		return "set the CPU affinity"
	case plan.OpMemPolicy:
		return "set the memory policy " + s.Word(0)
	case plan.OpPersona:
		return "set the personality"
	case plan.OpAttr:
		return "open /proc/" + s.Word(0)
	case plan.OpLabel:
		return fmt.Sprintf("set %q", strings.TrimPrefix(s.Word(0), "exec ")) // AppArmor's command
	case plan.OpKeyring:
		return "join the session keyring " + s.Word(0)
	case plan.OpListen:
		return "wait for start"
	case plan.OpTimeNS:
		return "enter the new time namespace"
	case plan.OpWorkDir:
		return "go to " + s.Word(0)
	case plan.OpGroups:
		return "set the supplementary groups"
	case plan.OpResUID:
		return "become root in the user namespace"
	case 0:
		return cmp.Or(s.About, "run the launch program")
	}
	return cmp.Or(whatProcess(s), s.Kind.String())
}

// detail is what an errno cannot say; empty if the errno says it all.
func detail(m wire.Message) string {
	switch m.Detail {
	case wire.Symlink:
		return "a symlink is in the way, an ordinary directory is needed"
	case wire.OnProc:
		return "the place is on a proc file system, where nothing may be mounted"
	case wire.OnRoot:
		return "the place is the container's root itself"
	case wire.OtherNode:
		return "another file is there already"
	case wire.OtherKind:
		return "not a directory (a directory cannot be mounted on a file, nor a file on a directory)"
	case wire.NotPtmx:
		return "/dev/pts/ptmx is not the kernel's terminal multiplexer (is a devpts mounted on /dev/pts?)"
	case wire.NotNull:
		return "/dev/null is not the null device"
	case wire.NotProc:
		return "not a proc file system"
	case wire.NotHost:
		return "the host's file there, which is used in a user namespace, is not that device"
	}
	return ""
}

// hint says what to do about the errors that users meet.
func hint(s *plan.Step, errno unix.Errno) string {
	switch {
	case s.Kind == plan.OpFsMount && errno == unix.ENODEV:
		return " (the kernel has no such file system, or its module is not loaded)"
	case s.Kind == plan.OpFsMount && errno == unix.EPERM:
		return " (in a user namespace it belongs to a namespace that has to be new, too: mqueue to ipc, sysfs to network, proc to pid, cgroup to cgroup)"
	case s.Kind == plan.OpKeyring && errno == unix.EDQUOT:
		return keyHint(s.Flags)
	case s.Kind == plan.OpRlimit && errno == unix.EPERM:
		return " (raising a hard limit needs CAP_SYS_RESOURCE)"
	case s.Kind == plan.OpUnshare && errno == unix.ENOSPC:
		return namespaceLimits(s.Flags)
	case s.Kind == plan.OpUnshare && errno == unix.EPERM:
		return " (CAP_SYS_ADMIN is needed, or the host does not let its users make user namespaces)"
	case s.Kind == plan.OpSetns && errno == unix.EPERM:
		return " (CAP_SYS_ADMIN is needed in the user namespace that it belongs to; an ordinary user can join those of a container that has been started)"
	case s.Kind == plan.OpTimeNS && errno == unix.ERANGE:
		return " (a clock would be negative, or out of the kernel's range)"
	case s.Kind == plan.OpGroups && errno == unix.EPERM:
		return " (CAP_SETGID is needed, or setgroups is denied in the user namespace)"
	case s.Kind == plan.OpMknod && errno == unix.ENOENT:
		return " (none can be made here, so the host's is used)"
	case s.Kind == plan.OpSetAttr && errno == unix.EINVAL && s.Flags&unix.MOUNT_ATTR_IDMAP != 0:
		return " (this file system cannot be idmapped)"
	case s.Kind == plan.OpRemount && errno == unix.EPERM:
		return " (an option clears a flag of a mount that comes from outside the user namespace, where it is locked)"
	case s.Kind == plan.OpOOMScore && errno == unix.EACCES:
		return " (below what skiff itself has, it needs CAP_SYS_RESOURCE)"
	case s.Kind == plan.OpPivot && errno == unix.EINVAL:
		return " (the host's root is a ramdisk? then use --no-pivot)"
	case s.Kind == plan.OpSeccomp && errno == unix.EBUSY:
		return " (a filter with a listener is in force already)"
	case s.Kind == plan.OpSeccomp && errno == unix.EAGAIN:
		return " (RLIMIT_NPROC or the cgroup's pids limit leaves no room for the thread that sends the listener)"
	case s.Kind == plan.OpSeccomp && errno == unix.EINVAL:
		return " (the kernel does not know one of the flags, or the filter is too long)"
	case errno == unix.EMFILE:
		return " (RLIMIT_NOFILE, the limit on descriptors, is too low: ulimit -Hn)"
	case s.Kind == plan.OpUnshare && errno == unix.EINVAL:
		return " (the kernel lacks one of them)"
	}
	return tune.Hint(s.Kind, errno) + lsm.Hint(s.Kind, errno) + processHint(s, errno)
}

// keyHint: the kernel counts the keys of each user (keyrings(7)).
func keyHint(owner uint64) string {
	limit := "maxkeys"
	if owner == 0 {
		limit = "root_maxkeys"
	}
	user := fmt.Sprintf("user %d", owner)
	if owner == unknownOwner {
		user = "the container's root"
	}
	return fmt.Sprintf(" (%s has as many keys as /proc/sys/kernel/keys/%s allows, or as many bytes in them as %s; --no-new-keyring makes none)",
		user, limit, strings.Replace(limit, "keys", "bytes", 1))
}

// hookFailed: a hook of the runtime's is executed by a fork of the child, so its
// exit status 127 may be that one's.
func hookFailed(s plan.Step, m wire.Message) error {
	why := m.Errno.Error()
	switch {
	case m.Detail == wire.HookExit:
		why = fmt.Sprintf("exit status %d", m.Value)
		if m.Value == 127 && m.Text == "" {
			why += " (no such program?)"
		}
	case m.Detail == wire.HookSignal:
		why = fmt.Sprintf("killed by signal %d", m.Value)
	case m.Detail == wire.HookTimeout:
		why = "no end after its timeout"
	case m.Errno == unix.EAGAIN:
		why += " (SCHED_DEADLINE without SCHED_FLAG_RESET_ON_FORK lets no process start another; else a limit is reached)"
	}
	return &hooks.Failed{Field: s.Field, Path: s.Word(0), Why: why, Output: m.Text}
}

// lookupFailed has the words that engines look for, to tell a container that
// cannot be started (126) from one without its program (127).
func lookupFailed(s plan.Step, m wire.Message) error {
	name := s.Word(0)
	switch {
	case m.Detail == wire.NotFound:
		return fmt.Errorf("exec: %q: executable file not found in $PATH", name)
	case m.Detail == wire.IsDir:
		// Engines know one phrase or the other.
		return fmt.Errorf("exec: %q: is a directory: %w", name, unix.EACCES)
	case m.Errno == unix.ENOENT || m.Errno == unix.ENOTDIR || m.Errno == unix.ELOOP:
		return fmt.Errorf("exec: %q: stat %s: %w", name, name, m.Errno)
	case m.Errno == unix.EACCES:
		return fmt.Errorf("exec: %q: %w%s", name, m.Errno, notExecutable)
	}
	return fmt.Errorf("exec: %q: %w", name, m.Errno)
}

// notExecutable leaves open which of the three it is: only the kernel knows.
const notExecutable = " (the user may not execute it, or not search its directory, or its file system is mounted noexec)"

func execHint(errno unix.Errno) string {
	switch errno {
	case unix.ENOENT:
		return " (its interpreter or dynamic loader is missing in the container)"
	case unix.EACCES:
		return notExecutable
	case unix.E2BIG:
		return " (process.args and process.env are longer than the kernel takes: 128 KiB for one string, for all a quarter of RLIMIT_STACK and at most 6 MiB)"
	case unix.ENOEXEC:
		return " (not an executable of this machine, or a script without #!)"
	}
	return ""
}

// chdirFailed: runc's words.
func chdirFailed(s plan.Step, m wire.Message) error {
	if m.Detail == wire.Outside {
		return field(s.Field, fmt.Errorf("the directory %q is outside the container's root file system", s.Word(0)))
	}
	return fmt.Errorf("chdir to cwd (%q) set in %s failed: %w", s.Word(0), s.Field, m.Errno)
}
