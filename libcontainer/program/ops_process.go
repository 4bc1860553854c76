// SPDX-License-Identifier: Apache-2.0

package program

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// Hook runs a hook in the container's namespaces and waits until it exits.
type Hook struct {
	Path    string
	Args    []string
	Env     []string
	State   []byte // the state document; the child replaces a run of '#' in it by the pid
	Timeout uint64 // in milliseconds; 0: none
	// Stdout and Stderr are its standard output and error. NoSlot: a pipe to the
	// child, which keeps the end of the output for the error message.
	Stdout, Stderr Slot
	Confined       bool // its process runs the operations that follow, and executes the hook at Exec
	Home           bool // it gets the program's HOME, see Home
	Untraced       bool // it does not get CAP_SYS_PTRACE
}

// Umask sets the file mode creation mask.
type Umask struct{ Mask uint32 }

// Groups sets the supplementary groups.
type Groups struct {
	GIDs []uint32
	Try  bool // a refusal is not an error if GIDs is empty
}

// SetID changes the user id and the group id.
type SetID struct{ UID, GID uint32 }

// Stdio makes the user the owner of the standard streams.
type Stdio struct{ UID uint32 }

// Bounding drops capabilities from the bounding set.
type Bounding struct{ Keep uint64 } // mask of those that stay

// KeepCaps keeps capabilities across the change of user (prctl(2), PR_SET_KEEPCAPS).
type KeepCaps struct{}

// Caps sets the capabilities (capset(2)), given as masks.
type Caps struct{ Effective, Permitted, Inheritable uint64 }

// Ambient sets the ambient capabilities, given as a mask.
type Ambient struct {
	Caps uint64
	Name func(capability int) string // for messages
}

// NoNewPrivs sets no_new_privs.
type NoNewPrivs struct{}

// Seccomp loads a filter. With Listener the child sends the runtime its listener;
// Flags must then not apply the filter to other threads.
type Seccomp struct {
	BPF      []byte
	Flags    uint64 // of seccomp(2)
	Listener bool
}

// Chdir enters the working directory. Root alone may have access to it, or the
// user alone, so it is entered both before and after the change of user.
type Chdir struct {
	Path  string
	Make  bool // make the directory if it is missing
	Try   bool // EACCES is not an error: the user tries it again
	Check bool // the result must be inside the root (CVE-2024-21626)
}

// Lookup finds the executable of the program.
type Lookup struct {
	Name       string   // args[0]
	Candidates []string // paths, in the order in which they are tried
	Search     bool     // they are from PATH: skip one that cannot be executed
}

// Home sets HOME to the user's home directory in /etc/passwd.
type Home struct{ UID uint32 }

// Rlimit sets a resource limit.
type Rlimit struct {
	Name       string
	Resource   int
	Soft, Hard uint64
}

// Sched sets the scheduler (sched_setattr(2)).
type Sched struct {
	Name string
	Attr []byte // struct sched_attr
}

// IOPriority sets the I/O priority (ioprio_set(2)).
type IOPriority struct{ Value uint64 }

// Affinity sets the CPU affinity.
type Affinity struct {
	Mask []byte
	Try  bool // a failure is not an error
}

// Personality sets the execution domain (personality(2)).
type Personality struct{ Value uint64 }

// MemoryPolicy sets the NUMA policy (set_mempolicy(2)).
type MemoryPolicy struct {
	Name  string
	Mode  uint64 // with its flags
	Nodes []byte // mask
}

// Attr opens one of the child's own files in procfs for writing.
type Attr struct {
	Out   Slot
	Files []string // the first that exists is opened
}

// Label writes a label to a file that Attr opened.
type Label struct {
	File  Slot
	Value string
}

// KeepFDs closes all descriptors except those that are passed on to the program.
type KeepFDs struct {
	First   Slot  // the first of those, which are consecutive
	Numbers []int // the numbers that they get, ascending
}

// Listen waits for start to connect.
type Listen struct{ Socket Slot }

// Exec executes the program that Lookup found.
type Exec struct {
	Args, Env []string
	ListenPID bool // add LISTEN_PID: the pid of the process in its own pid namespace
}

func (o Hook) code() code {
	c := code{
		kind: kindHook, a: o.Stdout, b: o.Stderr, n: [3]uint64{uint64(len(o.Args)), uint64(len(o.Env)), o.Timeout}, data: o.State,
		flags: when(o.Confined, hookConfined) | when(o.Home, hookHome) | when(o.Untraced, hookUntraced),
	}
	c.s = append(make([]string, 0, 1+len(o.Args)+len(o.Env)), o.Path)
	c.s = append(append(c.s, o.Args...), o.Env...)
	return c
}

func (o Umask) code() code { return code{kind: kindUmask, n: [3]uint64{uint64(o.Mask)}} }

func (o Groups) code() code {
	c := code{kind: kindGroups, flags: when(o.Try, optional)}
	for _, g := range o.GIDs {
		c.data = binary.NativeEndian.AppendUint32(c.data, g)
	}
	return c
}

func (o SetID) code() code    { return code{kind: kindSetID, n: [3]uint64{uint64(o.UID), uint64(o.GID)}} }
func (o Stdio) code() code    { return code{kind: kindStdio, n: [3]uint64{uint64(o.UID)}} }
func (o Bounding) code() code { return code{kind: kindBounding, n: [3]uint64{o.Keep}} }
func (KeepCaps) code() code   { return code{kind: kindKeepCaps} }
func (o Caps) code() code {
	return code{kind: kindCaps, n: [3]uint64{o.Effective, o.Permitted, o.Inheritable}}
}
func (o Ambient) code() code  { return code{kind: kindAmbient, n: [3]uint64{o.Caps}} }
func (NoNewPrivs) code() code { return code{kind: kindNoNewPrivs} }
func (o Seccomp) code() code {
	return code{kind: kindSeccomp, data: o.BPF, n: [3]uint64{o.Flags}, flags: when(o.Listener, seccompListener)}
}

func (o Chdir) code() code {
	return code{kind: kindChdir, s: []string{o.Path}, flags: when(o.Make, chdirMake) | when(o.Try, chdirTry) | when(o.Check, chdirCheck)}
}

func (o Lookup) code() code {
	return code{kind: kindLookup, words: []string{o.Name}, s: o.Candidates, flags: when(o.Search, lookupPath)}
}

func (o Home) code() code { return code{kind: kindHome, n: [3]uint64{uint64(o.UID)}} }
func (o Rlimit) code() code {
	return code{kind: kindRlimit, words: []string{o.Name}, n: [3]uint64{uint64(o.Resource), o.Soft, o.Hard}}
}
func (o Sched) code() code      { return code{kind: kindSched, words: []string{o.Name}, data: o.Attr} }
func (o IOPriority) code() code { return code{kind: kindIOPriority, n: [3]uint64{o.Value}} }
func (o Affinity) code() code {
	return code{kind: kindAffinity, data: o.Mask, flags: when(o.Try, optional)}
}
func (o Personality) code() code { return code{kind: kindPersonality, n: [3]uint64{o.Value}} }
func (o MemoryPolicy) code() code {
	return code{kind: kindMemoryPolicy, words: []string{o.Name}, n: [3]uint64{o.Mode}, data: o.Nodes}
}
func (o Attr) code() code  { return code{kind: kindAttr, a: o.Out, s: o.Files} }
func (o Label) code() code { return code{kind: kindLabel, a: o.File, s: []string{o.Value}} }

func (o KeepFDs) code() code {
	c := code{kind: kindKeepFDs, a: o.First}
	for _, n := range o.Numbers {
		c.data = binary.NativeEndian.AppendUint32(c.data, uint32(n))
	}
	return c
}

func (o Listen) code() code { return code{kind: kindListen, a: o.Socket} }

func (o Exec) code() code {
	c := code{kind: kindExec, n: [3]uint64{uint64(len(o.Args)), uint64(len(o.Env))}, flags: when(o.ListenPID, execListenPID)}
	c.s = append(append(make([]string, 0, len(o.Args)+len(o.Env)), o.Args...), o.Env...)
	return c
}

func (o Hook) what() string         { return "run the hook " + o.Path }
func (Umask) what() string          { return "set the umask" }
func (Groups) what() string         { return "set the supplementary groups" }
func (o SetID) what() string        { return fmt.Sprintf("become user %d and its group", o.UID) }
func (Stdio) what() string          { return "change the owner of the standard streams" }
func (Bounding) what() string       { return "drop capabilities from the bounding set" }
func (KeepCaps) what() string       { return "keep capabilities" }
func (Caps) what() string           { return "set the capabilities" }
func (Ambient) what() string        { return "raise the ambient capabilities" }
func (NoNewPrivs) what() string     { return "set no_new_privs" }
func (Seccomp) what() string        { return "load the seccomp filter" }
func (o Chdir) what() string        { return "change directory to " + o.Path }
func (o Lookup) what() string       { return fmt.Sprintf("find the program %q", o.Name) }
func (Home) what() string           { return "find the user's home directory" }
func (o Rlimit) what() string       { return "set " + o.Name }
func (o Sched) what() string        { return "set " + o.Name }
func (IOPriority) what() string     { return "set the I/O priority" }
func (Affinity) what() string       { return "set the CPU affinity" }
func (Personality) what() string    { return "set the personality" }
func (o MemoryPolicy) what() string { return "set the memory policy " + o.Name }
func (o Attr) what() string         { return "open /proc/" + o.Files[0] }
func (o Label) what() string        { return fmt.Sprintf("set %q", strings.TrimPrefix(o.Value, "exec ")) } // AppArmor's command
func (KeepFDs) what() string {
	return "close all file descriptors except those of --preserve-fds"
}
func (Listen) what() string { return "wait for start" }
func (o Exec) what() string { return fmt.Sprintf("exec: %q", first(o.Args)) }

func first(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}

const notMapped = " (an ID is not mapped in the user namespace)"

func (Groups) hint(f wire.Message) string {
	switch f.Errno {
	case unix.EPERM:
		return " (this requires CAP_SETGID, and a user namespace that does not deny setgroups)"
	case unix.EINVAL:
		return notMapped
	}
	return ""
}

func (SetID) hint(f wire.Message) string {
	switch f.Errno {
	case unix.EPERM:
		return " (this requires CAP_SETUID and CAP_SETGID)"
	case unix.EINVAL:
		return notMapped
	case unix.EAGAIN:
		return " (the user has reached the limit on processes, RLIMIT_NPROC)"
	}
	return ""
}

func (Bounding) hint(f wire.Message) string {
	return ifErrno(f, unix.EPERM, " (this requires CAP_SETPCAP)")
}
func (Caps) hint(f wire.Message) string {
	return ifErrno(f, unix.EPERM, " (skiff can only grant capabilities that it has itself)")
}

func (Ambient) hint(f wire.Message) string {
	return ifErrno(f, unix.EPERM, " (each must be both permitted and inheritable, and the securebit SECBIT_NO_CAP_AMBIENT_RAISE must not be set)")
}

// explain names the capability.
func (o Ambient) explain(field string, f wire.Message) error {
	if f.Value == 0 || o.Name == nil {
		return nil
	}
	return at(field, hinted(fmt.Errorf("raise the ambient capability %s: %w", o.Name(int(f.Value)), f.Errno), o.hint(f)))
}

func (Seccomp) hint(f wire.Message) string {
	switch f.Errno {
	case unix.EBUSY:
		return " (a filter with a listener is already loaded)"
	case unix.EAGAIN:
		return " (RLIMIT_NPROC or the cgroup's pids limit does not allow the thread that sends the listener)"
	case unix.EINVAL:
		return " (the kernel does not support one of the flags, or the filter is too long)"
	case unix.EACCES:
		return " (without process.noNewPrivileges this requires CAP_SYS_ADMIN)"
	}
	return ""
}

func (Rlimit) hint(f wire.Message) string {
	return ifErrno(f, unix.EPERM, " (raising a hard limit requires CAP_SYS_RESOURCE)")
}

func (o Sched) hint(f wire.Message) string    { return SchedHint(o.Name, f.Errno) }
func (IOPriority) hint(f wire.Message) string { return IOPriorityHint(f.Errno) }
func (Affinity) hint(f wire.Message) string   { return AffinityHint(f.Errno) }

// SchedHint explains why sched_setattr(2) refused a policy, such as SCHED_FIFO.
func SchedHint(policy string, errno unix.Errno) string {
	switch errno {
	case unix.EPERM:
		switch policy {
		case "SCHED_FIFO", "SCHED_RR":
			return " (a real-time policy requires CAP_SYS_NICE, and in a v1 cpu cgroup also cpu.rt_runtime_us)"
		case "SCHED_DEADLINE":
			return " (SCHED_DEADLINE requires CAP_SYS_NICE, and all CPUs of its cpuset)"
		}
		// Not only a negative one: the caller may have been started by nice(1).
		return " (a nice value below the caller's requires CAP_SYS_NICE)"
	case unix.EBUSY:
		return " (the deadlines of all processes together exceed what the CPUs can provide)"
	case unix.EINVAL:
		return " (the kernel does not support this policy or flag)"
	case unix.EOPNOTSUPP:
		return " (the kernel does not support utilization clamping)"
	}
	return ""
}

// IOPriorityHint explains a refusal of ioprio_set(2).
func IOPriorityHint(errno unix.Errno) string {
	if errno == unix.EPERM {
		return " (IOPRIO_CLASS_RT requires CAP_SYS_NICE)"
	}
	return ""
}

// AffinityHint explains a refusal of sched_setaffinity(2).
func AffinityHint(errno unix.Errno) string {
	switch errno {
	case unix.EINVAL:
		return " (none of these CPUs exists and is in the cgroup's cpuset)"
	case unix.EBUSY:
		return " (SCHED_DEADLINE requires all CPUs)"
	}
	return ""
}

func (MemoryPolicy) hint(f wire.Message) string {
	switch f.Errno {
	case unix.EINVAL:
		return " (none of these nodes exists and is in the cgroup's cpuset, or the kernel does not support the mode)"
	case unix.ENOSYS:
		return " (the kernel was built without NUMA support)"
	}
	return ""
}

func (Attr) hint(f wire.Message) string {
	return ifErrno(f, unix.ENOENT, " (the kernel has no such file in /proc/self/attr)")
}

func (Label) hint(f wire.Message) string {
	switch f.Errno {
	case unix.ENOENT:
		return " (no profile with this name is loaded)"
	case unix.EINVAL:
		return " (the label is not valid in the loaded policy)"
	case unix.EACCES, unix.EPERM:
		return " (the policy does not allow skiff to switch to it)"
	}
	return ""
}

// explain: exit status 127 may come from the child's fork that could not execute
// the hook, hence the hint.
func (o Hook) explain(field string, f wire.Message) error {
	why, hint := f.Errno.Error(), ""
	switch {
	case f.Detail == wire.HookExit:
		why = fmt.Sprintf("exit status %d", f.Value)
		if f.Value == 127 && f.Text == "" {
			hint = "the program may not exist"
		}
	case f.Detail == wire.HookSignal:
		why = fmt.Sprintf("killed by signal %d", f.Value)
	case f.Detail == wire.HookTimeout:
		why = "timed out"
	case f.Errno == unix.EAGAIN:
		hint = "a limit on processes is reached, or the process has SCHED_DEADLINE without SCHED_FLAG_RESET_ON_FORK and cannot fork"
	}
	return fault.Hint(&HookFailed{Field: field, Path: o.Path, Why: why, Output: f.Text}, hint)
}

// explain adds what the error is about: engines look for words before which there is no
// room for the field.
func (o Lookup) explain(field string, f wire.Message) error {
	return fault.About(field, o.Name, o.failure(f))
}

// failure uses the words that engines look for, to distinguish a program that
// cannot be executed (126) from one that does not exist (127).
func (o Lookup) failure(f wire.Message) error {
	switch {
	case f.Detail == wire.NotFound:
		return fault.With(fault.ProgramNotFound, fault.Hint(fmt.Errorf("exec: %q: executable file not found in $PATH", o.Name), searched))
	case f.Detail == wire.IsDir:
		// Some engines look for one phrase, some for the other.
		return fault.With(fault.ProgramUnusable, fmt.Errorf("exec: %q: is a directory: %w", o.Name, unix.EACCES))
	case f.Errno == unix.ENOENT || f.Errno == unix.ENOTDIR || f.Errno == unix.ELOOP:
		return fault.With(programCode(f.Errno), fmt.Errorf("exec: %q: stat %s: %w", o.Name, o.Name, f.Errno))
	case f.Errno == unix.EACCES:
		return fault.With(fault.ProgramUnusable, hinted(fmt.Errorf("exec: %q: %w", o.Name, f.Errno), notExecutable))
	}
	return fault.With(programCode(f.Errno), fmt.Errorf("exec: %q: %w", o.Name, f.Errno))
}

// searched says where a program is looked for.
const searched = "skiff searches the directories of PATH in the container's root file system"

// notExecutable lists three reasons: only the kernel knows which one it is.
const notExecutable = " (the user may not execute it or search its directory, or its file system is mounted noexec)"

func (o Exec) explain(field string, f wire.Message) error {
	if len(o.Args) == 0 {
		return fault.New(fault.InvalidConfig, "process: is required to start the container, but config.json has none")
	}
	err := hinted(fmt.Errorf("exec: %q: %w", o.Args[0], f.Errno), execHint(f.Errno))
	return fault.With(programCode(f.Errno), at(field, fault.About("", o.Args[0], err)))
}

// programCode returns the code for a program that the kernel does not execute. It is
// empty if the program itself is not the reason.
func programCode(errno unix.Errno) fault.Code {
	switch errno {
	case unix.ENOENT, unix.ENOTDIR:
		return fault.ProgramNotFound
	case unix.EACCES, unix.EISDIR, unix.ENOEXEC, unix.ELOOP, unix.ETXTBSY, unix.ELIBBAD:
		return fault.ProgramUnusable
	}
	return ""
}

func execHint(errno unix.Errno) string {
	switch errno {
	case unix.ENOENT:
		return " (it, its interpreter or its dynamic loader is missing in the container's root file system)"
	case unix.EACCES:
		return notExecutable
	case unix.E2BIG:
		return " (process.args and process.env exceed the kernel's limits: 128 KiB for a single string, and a quarter of RLIMIT_STACK, at most 6 MiB, in total)"
	case unix.ENOEXEC:
		return " (it is an executable for another architecture, or a script without #!)"
	}
	return ""
}

// explain uses the words of runc.
func (o Chdir) explain(field string, f wire.Message) error {
	if f.Detail == wire.Outside {
		return at(field, fmt.Errorf("the directory %q is outside the container's root file system", o.Path))
	}
	set := ""
	if strings.HasPrefix(field, "process.") { // else it is exec's
		set = " set in " + field
	}
	return fault.About(field, o.Path, fmt.Errorf("chdir to cwd (%q)%s failed: %w", o.Path, set, f.Errno))
}
