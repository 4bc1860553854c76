// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"
	"fmt"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"golang.org/x/sys/unix"
)

// call is a system call that older kernels lack, or that a seccomp filter around skiff
// may forbid, as the filters of container engines do.
type call struct {
	name   string
	number uintptr
	asks   bool // the kernel checks for CAP_SYS_ADMIN before it looks at the arguments
}

var calls = [...]call{
	{"accept4", unix.SYS_ACCEPT4, false},
	{"bpf", unix.SYS_BPF, true},
	{"capset", unix.SYS_CAPSET, false},
	{"chroot", unix.SYS_CHROOT, false},
	{"clone3", unix.SYS_CLONE3, false},
	{"close_range", unix.SYS_CLOSE_RANGE, false},
	{"execveat", unix.SYS_EXECVEAT, false},
	{"faccessat2", unix.SYS_FACCESSAT2, false},
	{"fsconfig", unix.SYS_FSCONFIG, false},
	{"fsmount", unix.SYS_FSMOUNT, true},
	{"fsopen", unix.SYS_FSOPEN, true},
	{"fspick", unix.SYS_FSPICK, true},
	{"keyctl", unix.SYS_KEYCTL, false},
	{"memfd_create", unix.SYS_MEMFD_CREATE, false},
	{"mknodat", unix.SYS_MKNODAT, true},
	{"mount", unix.SYS_MOUNT, false},
	{"mount_setattr", unix.SYS_MOUNT_SETATTR, false},
	{"move_mount", unix.SYS_MOVE_MOUNT, true},
	{"open_tree", unix.SYS_OPEN_TREE, false},
	{"openat2", unix.SYS_OPENAT2, false},
	{"pidfd_getfd", unix.SYS_PIDFD_GETFD, false},
	{"pidfd_open", unix.SYS_PIDFD_OPEN, false},
	{"pidfd_send_signal", unix.SYS_PIDFD_SEND_SIGNAL, false},
	{"pivot_root", unix.SYS_PIVOT_ROOT, true},
	{"seccomp", unix.SYS_SECCOMP, false},
	{"setdomainname", unix.SYS_SETDOMAINNAME, true},
	{"setgroups", unix.SYS_SETGROUPS, true},
	{"sethostname", unix.SYS_SETHOSTNAME, true},
	{"setns", unix.SYS_SETNS, false},
	{"setresgid", unix.SYS_SETRESGID, false},
	{"setresuid", unix.SYS_SETRESUID, false},
	{"statx", unix.SYS_STATX, false},
	{"umount2", unix.SYS_UMOUNT2, false},
	{"unshare", unix.SYS_UNSHARE, false},
}

// Refusal explains why a system call was refused.
type Refusal struct {
	Words   string // what forbids the call; empty if it was the kernel that refused it
	Certain bool   // false: it is one of several possible causes
}

// Refused finds out why the system call of that number failed with errno.
func Refused(number uintptr, errno error) Refusal {
	for i := range calls {
		if c := &calls[i]; c.number == number {
			return c.refused(errno)
		}
	}
	return Refusal{}
}

// CallName returns the name of a system call, if it is one that may be refused.
func CallName(number uintptr) string {
	for i := range calls {
		if calls[i].number == number {
			return calls[i].name
		}
	}
	return fmt.Sprintf("system call %d", number)
}

// Explain adds to the error of the named system call what forbids the call.
func Explain(name string, err error) error {
	if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	for i := range calls {
		if calls[i].name == name {
			return calls[i].refused(err).Add(err)
		}
	}
	return err
}

// Add adds the words of r, if there are any, to err as a hint.
func (r Refusal) Add(err error) error {
	switch {
	case r.Words == "":
		return err
	case r.Certain:
		return fault.Hint(err, r.Words)
	}
	return fault.Hint(err, "perhaps "+r.Words)
}

func (c *call) refused(err error) Refusal {
	errno := unix.Errno(0)
	if !errors.As(err, &errno) || errno != unix.EPERM && errno != unix.ENOSYS {
		return Refusal{}
	}
	return refusal(c, errno, tried{filtered: filtered(), again: c.try(), admin: admin(), release: release()})
}

// tried has the facts that show whether a filter refused a call.
type tried struct {
	filtered bool       // this process has a seccomp filter
	again    unix.Errno // the error of the call with invalid arguments
	admin    bool       // the kernel lets this process do what needs CAP_SYS_ADMIN
	release  string     // the kernel's
}

func refusal(c *call, errno unix.Errno, t tried) Refusal {
	switch {
	case errno == unix.ENOSYS:
		return Refusal{lacking(c.name, t), true}
	case !t.filtered || t.again != unix.EPERM:
		return Refusal{}
	}
	return Refusal{"a seccomp filter around skiff forbids the system call " + c.name, t.admin || !c.asks}
}

// lacking says why a system call is not there.
func lacking(name string, t tried) string {
	words := "the kernel does not have the system call " + name
	if t.filtered {
		words = "a seccomp filter around skiff forbids the system call " + name + ", or the kernel does not have it"
	}
	if old := tooOld(t.release); old != "" {
		return words + ": " + old
	}
	return words
}

// try makes the call with arguments that no kernel accepts. A filter that looks only at
// the number refuses it with its own error all the same.
func (c *call) try() unix.Errno {
	const none = ^uintptr(0)
	_, _, errno := unix.RawSyscall6(c.number, none, none, none, none, none, none)
	return errno
}

// filtered reports whether this process has a seccomp filter (prctl(2), PR_GET_SECCOMP).
func filtered() bool {
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	return err == nil && mode == 2 // SECCOMP_MODE_FILTER
}

// admin reports whether this process has CAP_SYS_ADMIN in the host's user namespace. In
// a user namespace below, that one need not own the mount namespace.
func admin() bool {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&head, &data[0]) == nil && data[0].Effective>>unix.CAP_SYS_ADMIN&1 != 0 && !InUserNamespace()
}
