package launch

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// whatProcess says what the operation was about to do with namespaces or the
// process; empty if [what] has the words.
func whatProcess(s *plan.Step) string {
	switch s.Kind {
	case plan.OpFork:
		return "start the container's first process in its pid namespace"
	case plan.OpHostname:
		return fmt.Sprintf("set the hostname %q", s.Word(0))
	case plan.OpDomain:
		return fmt.Sprintf("set the domain name %q", s.Word(0))
	case plan.OpSetID:
		return fmt.Sprintf("become user %d and its group", s.Flags)
	case plan.OpBounding:
		return "drop capabilities from the bounding set"
	case plan.OpCaps:
		return "set the capabilities"
	case plan.OpAmbient:
		return "raise the ambient capabilities"
	case plan.OpLookup:
		return fmt.Sprintf("find the program %q", s.Word(0))
	case plan.OpKeepFDs:
		return "pass on the descriptors of --preserve-fds, and close all others"
	case plan.OpSync, plan.OpAwait:
		return "wait for skiff"
	}
	return ""
}

// processHint is [hint] for operations on namespaces and the process.
func processHint(s *plan.Step, errno unix.Errno) string {
	switch [2]uintptr{uintptr(s.Kind), uintptr(errno)} {
	case on(plan.OpFork, unix.ENOMEM):
		return " (the first process of the pid namespace that is joined has ended, or there is no memory)"
	case on(plan.OpHostname, unix.EPERM), on(plan.OpDomain, unix.EPERM):
		return " (CAP_SYS_ADMIN is needed in the user namespace that the uts namespace belongs to)"
	case on(plan.OpLinkUp, unix.EPERM):
		return " (CAP_NET_ADMIN is needed in the user namespace that the network namespace belongs to)"
	case on(plan.OpSetns, unix.ESRCH):
		return " (the container's first process has ended)"
	case on(plan.OpSetns, unix.EINVAL):
		if s.Flags == unix.CLONE_NEWUSER {
			return " (skiff is in that user namespace already: leave the namespace out)"
		}
		return " (the kernel lacks one of them)"
	case on(plan.OpUnshare, unix.EUSERS):
		return " (user namespaces can be nested 32 levels deep)"
	case on(plan.OpSetID, unix.EPERM):
		return " (CAP_SETUID and CAP_SETGID are needed)"
	case on(plan.OpSetID, unix.EINVAL), on(plan.OpGroups, unix.EINVAL):
		return " (an id is not mapped in the user namespace)"
	case on(plan.OpSetID, unix.EAGAIN):
		return " (the user has as many processes as RLIMIT_NPROC allows)"
	case on(plan.OpBounding, unix.EPERM):
		return " (CAP_SETPCAP is needed)"
	case on(plan.OpCaps, unix.EPERM):
		return " (skiff can give no capability that it does not have)"
	case on(plan.OpAmbient, unix.EPERM):
		return " (each has to be permitted and inheritable, and the securebit SECBIT_NO_CAP_AMBIENT_RAISE not set)"
	case on(plan.OpSeccomp, unix.EACCES):
		return " (without process.noNewPrivileges it needs CAP_SYS_ADMIN)"
	case on(plan.OpMknod, unix.EPERM):
		return " (CAP_MKNOD is needed, and a device cgroup around skiff has to allow the device)"
	case on(plan.OpConsole, unix.ENOENT):
		return " (process.terminal needs a devpts in mounts, on /dev/pts)"
	case on(plan.OpConsole, unix.ENOSPC):
		return " (there are as many terminals as /proc/sys/kernel/pty/max or the max of the devpts allows)"
	case on(plan.OpWrite, unix.ENOENT):
		return " (the kernel has no such parameter, or not in this namespace, or its module is not loaded)"
	case on(plan.OpWrite, unix.EINVAL), on(plan.OpWrite, unix.ERANGE):
		return " (the parameter does not take this value)"
	case on(plan.OpWrite, unix.EACCES), on(plan.OpWrite, unix.EPERM):
		return " (the parameter cannot be written, or not from this user namespace)"
	}
	return ""
}

func on(k plan.Kind, errno unix.Errno) [2]uintptr { return [2]uintptr{uintptr(k), uintptr(errno)} }

// namespaceLimits names the limits of the number of namespaces.
func namespaceLimits(flags uint64) string {
	var all []string
	for _, n := range plan.NamespacesOf(flags) {
		all = append(all, "max_"+n.File+"_namespaces")
	}
	return " (a limit in /proc/sys/user is reached: " + strings.Join(all, " or ") + ")"
}

// ended says which signal has ended the child. SIGKILL needs no name: it is
// skiff's own, too, when another skiff deletes the container.
func ended(sig int) string {
	if unix.Signal(sig) == unix.SIGKILL {
		return "killed"
	}
	return "killed by " + killedBy(sig)
}

// killedBy names a signal that has ended the child.
func killedBy(sig int) string {
	name := fmt.Sprintf("signal %d", sig)
	if known := unix.SignalName(unix.Signal(sig)); known != "" {
		name = known
	}
	if unix.Signal(sig) == unix.SIGSYS {
		return name + " (a seccomp filter around skiff forbids one of its system calls)"
	}
	return name
}

// limitHint explains that a limit could not be set. The kernel says the same of a
// privilege that is missing and of too many descriptors (getrlimit(2)).
func limitHint(resource int, hard, nrOpen uint64, errno error) string {
	switch {
	case !errors.Is(errno, unix.EPERM):
		return ""
	case resource == unix.RLIMIT_NOFILE && nrOpen > 0 && hard > nrOpen:
		return fmt.Sprintf(" (above /proc/sys/fs/nr_open, %d)", nrOpen)
	}
	return " (raising a hard limit needs CAP_SYS_RESOURCE)"
}

// nrOpen is the largest limit of descriptors; 0 if it is not known.
func nrOpen() uint64 {
	b, err := sys.ReadFile("/proc/sys/fs/nr_open")
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	return n
}

// ambient names the capability that could not be raised.
func ambient(value int64) string {
	return "raise the ambient capability " + plan.CapabilityName(int(value))
}
