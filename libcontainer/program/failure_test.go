// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

func TestDescribe(t *testing.T) {
	const sysctl = `linux.sysctl["net.x"]`
	for _, c := range []struct {
		entry Entry
		errno unix.Errno
		want  string
	}{
		{Entry{Fork{}, ""}, unix.ENOMEM, "start the container's first process in its pid namespace: cannot allocate memory (the first process of the pid namespace to join has ended, or memory is exhausted)"},
		{Entry{Hostname{Name: "web"}, "hostname"}, unix.EPERM, `hostname: set the hostname "web": operation not permitted (this requires CAP_SYS_ADMIN in the user namespace that owns the uts namespace)`},
		{Entry{Domain{Name: "web"}, "domainname"}, unix.EPERM, `domainname: set the domain name "web": operation not permitted (this requires CAP_SYS_ADMIN in the user namespace that owns the uts namespace)`},
		{Entry{Network{Interface: "lo"}, "linux.namespaces"}, unix.ENOSPC, "linux.namespaces: create namespaces (network): no space left on device (a limit in /proc/sys/user is reached: max_net_namespaces)"},
		{Entry{LinkUp{Interface: "lo"}, ""}, unix.EPERM, "bring up the interface lo: operation not permitted (this requires CAP_NET_ADMIN in the user namespace that owns the network namespace)"},
		{Entry{Setns{Namespaces: unix.CLONE_NEWNS | unix.CLONE_NEWPID}, ""}, unix.ESRCH, "join namespaces (mount|pid): no such process (the container's first process has ended)"},
		{Entry{Setns{Namespaces: unix.CLONE_NEWUSER}, "linux.namespaces[6].path"}, unix.EINVAL, "linux.namespaces[6].path: join namespaces (user): invalid argument (skiff is already in that user namespace: omit it from linux.namespaces)"},
		{Entry{Unshare{Namespaces: unix.CLONE_NEWUSER}, "linux.namespaces"}, unix.EUSERS, "linux.namespaces: create namespaces (user): too many users (user namespaces cannot be nested more than 32 levels deep)"},
		{Entry{Unshare{Namespaces: unix.CLONE_NEWNET | unix.CLONE_NEWNS}, "linux.namespaces"}, unix.ENOSPC, "linux.namespaces: create namespaces (mount|network): no space left on device (a limit in /proc/sys/user is reached: max_mnt_namespaces or max_net_namespaces)"},
		{Entry{SetID{UID: 5}, "process.user"}, unix.EPERM, "process.user: become user 5 and its group: operation not permitted (this requires CAP_SETUID and CAP_SETGID)"},
		{Entry{SetID{UID: 5}, "process.user"}, unix.EINVAL, "process.user: become user 5 and its group: invalid argument (an ID is not mapped in the user namespace)"},
		{Entry{Groups{}, "process.user.additionalGids"}, unix.EPERM, "process.user.additionalGids: set the supplementary groups: operation not permitted (this requires CAP_SETGID, and a user namespace that does not deny setgroups)"},
		{Entry{Groups{}, "process.user.additionalGids"}, unix.EINVAL, "process.user.additionalGids: set the supplementary groups: invalid argument (an ID is not mapped in the user namespace)"},
		{Entry{Bounding{}, "process.capabilities.bounding"}, unix.EPERM, "process.capabilities.bounding: drop capabilities from the bounding set: operation not permitted (this requires CAP_SETPCAP)"},
		{Entry{Caps{}, "process.capabilities"}, unix.EPERM, "process.capabilities: set the capabilities: operation not permitted (skiff can only grant capabilities that it has itself)"},
		{Entry{Seccomp{}, "linux.seccomp"}, unix.EACCES, "linux.seccomp: load the seccomp filter: permission denied (without process.noNewPrivileges this requires CAP_SYS_ADMIN)"},
		{Entry{Mknod{Path: "/dev/null"}, ""}, unix.EPERM, "create the device /dev/null: operation not permitted (this requires CAP_MKNOD, and permission by the device cgroup that skiff runs in)"},
		{Entry{MakeConsole{}, "process.terminal"}, unix.ENOENT, "process.terminal: create the terminal: no such file or directory (process.terminal requires a devpts mount on /dev/pts)"},
		{Entry{MakeConsole{}, "process.terminal"}, unix.ENOSPC, "process.terminal: create the terminal: no space left on device (the limit on terminals is reached: /proc/sys/kernel/pty/max, or the devpts option max)"},
		{Entry{Write{Path: "sys/net/x", Value: "1"}, sysctl}, unix.ENOENT, sysctl + `: write "1" to /proc/sys/net/x: no such file or directory (the kernel has no such parameter, or not in this namespace, or a module is not loaded)`},
		{Entry{Write{Path: "sys/net/x", Value: "a"}, sysctl}, unix.EINVAL, sysctl + `: write "a" to /proc/sys/net/x: invalid argument (the kernel does not accept this value for the parameter)`},
		{Entry{Write{Path: "sys/net/x", Value: "1"}, sysctl}, unix.EACCES, sysctl + `: write "1" to /proc/sys/net/x: permission denied (the parameter is read-only, or cannot be written from this user namespace)`},
		{Entry{Exec{Args: []string{"sh"}}, "process.args[0]"}, unix.E2BIG, `process.args[0]: exec: "sh": argument list too long (process.args and process.env exceed the kernel's limits: 128 KiB for a single string, and a quarter of RLIMIT_STACK, at most 6 MiB, in total)`},
		{Entry{Exec{Args: []string{"sh"}}, "process.args[0]"}, unix.EACCES, `process.args[0]: exec: "sh": permission denied (the user may not execute it or search its directory, or its file system is mounted noexec)`},
		{Entry{Lookup{Name: "sh"}, "process.args[0]"}, unix.EACCES, `exec: "sh": permission denied (the user may not execute it or search its directory, or its file system is mounted noexec)`},
		{Entry{Keyring{Name: "_ses.web", Owner: 0}, ""}, unix.EDQUOT, "join the session keyring _ses.web: disk quota exceeded (user 0 has reached the limit on keys, /proc/sys/kernel/keys/root_maxkeys, or on their size, root_maxbytes; --no-new-keyring avoids a new key)"},
		{Entry{Keyring{Name: "_ses.web", Owner: 1000}, ""}, unix.EDQUOT, "join the session keyring _ses.web: disk quota exceeded (user 1000 has reached the limit on keys, /proc/sys/kernel/keys/maxkeys, or on their size, maxbytes; --no-new-keyring avoids a new key)"},
		{Entry{Keyring{Name: "_ses.web", Owner: UnknownOwner}, ""}, unix.EDQUOT, "join the session keyring _ses.web: disk quota exceeded (the container's root has reached the limit on keys, /proc/sys/kernel/keys/maxkeys, or on their size, maxbytes; --no-new-keyring avoids a new key)"},
		{Entry{Sync{}, ""}, unix.EPROTO, "wait for skiff: protocol error"},
		{Step{Field: "process.future", About: "future"}.Entry(), unix.EPERM, "process.future: future: operation not permitted"},
		{new(Program).At(-1), unix.ENOMEM, "run the launch program: cannot allocate memory"},
	} {
		if err := c.entry.Describe(wire.Message{Type: wire.Failed, Errno: c.errno}); err.Error() != c.want {
			t.Errorf("%s, %v:\n%v\nexpected\n%s", c.entry, c.errno, err, c.want)
		}
	}
}

// Each detail has its message.
func TestDescribeDetail(t *testing.T) {
	for _, c := range []struct {
		entry Entry
		m     wire.Message
		want  string
	}{
		{Entry{Attach{Destination: "/x"}, "mounts[0]"}, wire.Message{Detail: wire.Symlink, Errno: unix.ELOOP}, "mounts[0]: mount on /x: the path is a symlink, but must be a directory"},
		{Entry{Attach{Destination: "/x/y", CopyUp: true}, "mounts[0]"}, wire.Message{Detail: wire.NotMade, Errno: unix.EROFS, Text: "/x"}, "mounts[0].destination: mkdir /x: read-only file system"},
		{Entry{Mknod{Path: "/dev/x"}, ""}, wire.Message{Detail: wire.NotMade, Errno: unix.EROFS, Text: "/dev/x", Value: 1}, "create the device /dev/x: create /dev/x: read-only file system"},
		{Entry{FSMount{Type: "overlay", On: "/x", Options: []string{"lowerdir=/nope"}}, "mounts[8]"}, wire.Message{Detail: wire.FSLog, Errno: unix.EINVAL, Text: "overlay: bad"}, "mounts[8]: mount overlay on /x (lowerdir=/nope): invalid argument (overlay: bad)"},
		{Entry{MoveRoot{}, "root.path"}, wire.Message{Detail: wire.Where, Errno: unix.EBUSY, Text: "/proc"}, "root.path: move the root mount: the host's mount on /proc can neither be removed nor hidden: device or resource busy"},
		{Entry{MoveRoot{}, "root.path"}, wire.Message{Errno: unix.EBUSY}, "root.path: move the root mount: device or resource busy"},
		{Entry{Hook{Path: "/h"}, "hooks.createContainer[0]"}, wire.Message{Detail: wire.HookExit, Value: 127}, "hooks.createContainer[0]: /h: exit status 127 (the program may not exist)"},
		{Entry{Hook{Path: "/h"}, "hooks.createContainer[0]"}, wire.Message{Detail: wire.HookExit, Value: 127, Text: "a\nb"}, "hooks.createContainer[0]: /h: exit status 127: a b"},
		{Entry{Hook{Path: "/h"}, "hooks.createContainer[0]"}, wire.Message{Detail: wire.HookSignal, Value: 9}, "hooks.createContainer[0]: /h: killed by signal 9"},
		{Entry{Hook{Path: "/h"}, "hooks.createContainer[0]"}, wire.Message{Detail: wire.HookTimeout}, "hooks.createContainer[0]: /h: timed out"},
		{Entry{Hook{Path: "/h"}, "h"}, wire.Message{Errno: unix.EAGAIN}, "h: /h: resource temporarily unavailable (a limit on processes is reached, or the process has SCHED_DEADLINE without SCHED_FLAG_RESET_ON_FORK and cannot fork)"},
		{Entry{Lookup{Name: "sh"}, "f"}, wire.Message{Detail: wire.NotFound, Errno: unix.ENOENT}, `exec: "sh": executable file not found in $PATH (skiff searches the directories of PATH in the container's root file system)`},
		{Entry{Lookup{Name: "/bin"}, "f"}, wire.Message{Detail: wire.IsDir, Errno: unix.EACCES}, `exec: "/bin": is a directory: permission denied`},
		{Entry{Lookup{Name: "/x"}, "f"}, wire.Message{Errno: unix.ENOENT}, `exec: "/x": stat /x: no such file or directory`},
		{Entry{Lookup{Name: "/x"}, "f"}, wire.Message{Errno: unix.EIO}, `exec: "/x": input/output error`},
		{Entry{Exec{}, "process.args[0]"}, wire.Message{Errno: unix.EFAULT}, "process: is required to start the container, but config.json has none"},
		{Entry{Exec{Args: []string{"x"}}, "f"}, wire.Message{Errno: unix.ENOEXEC}, `f: exec: "x": exec format error (it is an executable for another architecture, or a script without #!)`},
		{Entry{Chdir{Path: "/w"}, "process.cwd"}, wire.Message{Errno: unix.EACCES}, `chdir to cwd ("/w") set in process.cwd failed: permission denied`},
		{Entry{Chdir{Path: "/w"}, "cwd"}, wire.Message{Errno: unix.EACCES}, `chdir to cwd ("/w") failed: permission denied`},
		{Entry{Chdir{Path: "/w"}, "process.cwd"}, wire.Message{Detail: wire.Outside}, `process.cwd: the directory "/w" is outside the container's root file system`},
		{Entry{Ambient{Name: func(int) string { return "CAP_X" }}, "f"}, wire.Message{Errno: unix.EPERM, Value: 5}, "f: raise the ambient capability CAP_X: operation not permitted (each must be both permitted and inheritable, and the securebit SECBIT_NO_CAP_AMBIENT_RAISE must not be set)"},
		{Entry{SetAttr{On: "/x", Attributes: Attributes{Set: unix.MOUNT_ATTR_IDMAP}}, "f"}, wire.Message{Errno: unix.EINVAL}, "f: set the attributes of the mount on /x: invalid argument (this file system does not support idmapped mounts)"},
		{Entry{Close{}, ""}, wire.Message{Errno: unix.EMFILE}, "close a descriptor: too many open files (the limit on open files, RLIMIT_NOFILE, is too low: see ulimit -Hn)"},
	} {
		if err := c.entry.Describe(c.m); err.Error() != c.want {
			t.Errorf("%s:\n%v\nexpected\n%s", c.entry, err, c.want)
		}
	}
}

// Each hint is given only for its errno.
func TestHints(t *testing.T) {
	for _, c := range []struct {
		op     Operation
		errnos []unix.Errno
	}{
		{TimeNS{}, []unix.Errno{unix.ERANGE}},
		{OOMScore{}, []unix.Errno{unix.EACCES}},
		{FSMount{}, []unix.Errno{unix.ENODEV, unix.EPERM}},
		{Remount{}, []unix.Errno{unix.EPERM}},
		{Pivot{}, []unix.Errno{unix.EINVAL}},
		{Rlimit{}, []unix.Errno{unix.EPERM}},
		{Sched{}, []unix.Errno{unix.EPERM, unix.EBUSY, unix.EINVAL, unix.EOPNOTSUPP}},
		{IOPriority{}, []unix.Errno{unix.EPERM}},
		{Affinity{}, []unix.Errno{unix.EINVAL, unix.EBUSY}},
		{MemoryPolicy{}, []unix.Errno{unix.EINVAL, unix.ENOSYS}},
		{Attr{Files: []string{"x"}}, []unix.Errno{unix.ENOENT}},
		{Label{}, []unix.Errno{unix.ENOENT, unix.EINVAL, unix.EACCES, unix.EPERM}},
		{Unshare{Namespaces: unix.CLONE_NEWNET}, []unix.Errno{unix.EPERM, unix.EUSERS, unix.ENOSPC, unix.EINVAL}},
		{Seccomp{}, []unix.Errno{unix.EBUSY, unix.EAGAIN, unix.EINVAL, unix.EACCES}},
		{SetID{}, []unix.Errno{unix.EPERM, unix.EINVAL, unix.EAGAIN}},
		{Keyring{}, []unix.Errno{unix.EDQUOT}},
	} {
		for _, errno := range c.errnos {
			op := c.op
			with, without := Entry{op, ""}.Describe(wire.Message{Errno: errno}).Error(), Entry{op, ""}.Describe(wire.Message{Errno: unix.EIO}).Error()
			if strings.Count(with, " (") != strings.Count(without, " (")+1 {
				t.Errorf("%T: %s, %s", op, with, without)
			}
		}
	}
}

// The hint about a refused scheduler fits the policy: only a real-time one needs more than
// a nice value that is not below the caller's.
func TestSchedHint(t *testing.T) {
	for policy, want := range map[string]string{
		"SCHED_OTHER":    "set SCHED_OTHER: operation not permitted (a nice value below the caller's requires CAP_SYS_NICE)",
		"SCHED_BATCH":    "set SCHED_BATCH: operation not permitted (a nice value below the caller's requires CAP_SYS_NICE)",
		"SCHED_RR":       "set SCHED_RR: operation not permitted (a real-time policy requires CAP_SYS_NICE, and in a v1 cpu cgroup also cpu.rt_runtime_us)",
		"SCHED_DEADLINE": "set SCHED_DEADLINE: operation not permitted (SCHED_DEADLINE requires CAP_SYS_NICE, and all CPUs of its cpuset)",
	} {
		if got := (Entry{Sched{Name: policy}, "process.scheduler"}).Describe(wire.Message{Errno: unix.EPERM}).Error(); got != "process.scheduler: "+want {
			t.Errorf("%s: %s", policy, got)
		}
	}
}

// becauseOf is an Explainer with one answer.
type becauseOf struct{ err error }

func (b becauseOf) Explain(Entry, wire.Message) error { return b.err }

// The explanation of an Explainer comes first, if it has one.
func TestExplainer(t *testing.T) {
	why := errors.New("the maker knows")
	m := wire.Message{Errno: unix.EINVAL}
	for _, op := range []Operation{OpenTree{Because: becauseOf{why}}, SetAttr{Because: becauseOf{why}}} {
		if err := (Entry{op, "f"}).Describe(m); err != why {
			t.Errorf("%v", err)
		}
	}
	if err := (Entry{OpenTree{Path: "/x", Because: becauseOf{}}, "f"}).Describe(m); err.Error() != "f: open the source /x: invalid argument" {
		t.Errorf("%v", err)
	}
}

// Programs learn what a failed operation is about, also where its text has no place for it.
func TestDetails(t *testing.T) {
	for _, c := range []struct {
		entry Entry
		m     wire.Message
		want  fault.Details // its code, field and path
	}{
		{Entry{Lookup{Name: "sh"}, "process.args[0]"}, wire.Message{Detail: wire.NotFound, Errno: unix.ENOENT},
			fault.Details{Code: fault.ProgramNotFound, Field: "/process/args/0"}},
		{Entry{Lookup{Name: "/bin/sh"}, "process.args[0]"}, wire.Message{Errno: unix.ENOENT},
			fault.Details{Code: fault.ProgramNotFound, Field: "/process/args/0", Path: "/bin/sh"}},
		{Entry{Exec{Args: []string{"/bin/sh"}}, "process.args[0]"}, wire.Message{Errno: unix.ENOEXEC},
			fault.Details{Code: fault.ProgramUnusable, Field: "/process/args/0", Path: "/bin/sh"}},
		{Entry{Exec{Args: []string{"/bin/sh"}}, "args[0]"}, wire.Message{Errno: unix.ENOEXEC},
			fault.Details{Code: fault.ProgramUnusable, Path: "/bin/sh"}}, // exec's process is not in config.json
		{Entry{Chdir{Path: "/w"}, "process.cwd"}, wire.Message{Errno: unix.EACCES},
			fault.Details{Code: fault.NoPermission, Field: "/process/cwd", Path: "/w"}},
		{Entry{Attach{}, "mounts[0]"}, wire.Message{Detail: wire.NotMade, Errno: unix.EROFS, Text: "/x"},
			fault.Details{Code: fault.NoPermission, Field: "/mounts/0/destination", Path: "/x"}},
	} {
		err := c.entry.Describe(c.m)
		d := fault.Of(err)
		if got := (fault.Details{Code: d.Code, Field: d.Field, Path: d.Path}); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: %+v, expected %+v", err, got, c.want)
		}
	}
}
