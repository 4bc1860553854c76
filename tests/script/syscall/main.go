// SPDX-License-Identifier: Apache-2.0

// Syscall makes system calls for the scripts: each argument is the number of a call,
// whose arguments are zeros. It prints the error number of each.
//
// "syscall forbid NAME ERRNO PROGRAM ARG..." executes a program with a seccomp filter
// that refuses one system call, as that of an outer container may.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) > 4 && os.Args[1] == "forbid" {
		fail(forbid(os.Args[2], os.Args[3], os.Args[4:]))
	}
	for _, arg := range os.Args[1:] {
		number, err := strconv.ParseUint(arg, 10, 32)
		fail(err)
		_, _, errno := unix.Syscall6(uintptr(number), 0, 0, 0, 0, 0, 0)
		fmt.Printf("%d: %d\n", number, errno)
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "syscall:", err)
		os.Exit(1)
	}
}

// calls has the system calls that can be forbidden.
var calls = map[string]uint32{
	"accept4": unix.SYS_ACCEPT4, "bpf": unix.SYS_BPF, "capset": unix.SYS_CAPSET, "chroot": unix.SYS_CHROOT,
	"clone": unix.SYS_CLONE, "clone3": unix.SYS_CLONE3, "close_range": unix.SYS_CLOSE_RANGE,
	"execveat": unix.SYS_EXECVEAT, "faccessat2": unix.SYS_FACCESSAT2, "fsconfig": unix.SYS_FSCONFIG,
	"fsmount": unix.SYS_FSMOUNT, "fsopen": unix.SYS_FSOPEN, "fspick": unix.SYS_FSPICK, "fstatfs": unix.SYS_FSTATFS,
	"keyctl": unix.SYS_KEYCTL, "memfd_create": unix.SYS_MEMFD_CREATE, "mknodat": unix.SYS_MKNODAT, "mount": unix.SYS_MOUNT,
	"mount_setattr": unix.SYS_MOUNT_SETATTR, "move_mount": unix.SYS_MOVE_MOUNT, "open_tree": unix.SYS_OPEN_TREE,
	"openat2": unix.SYS_OPENAT2, "pidfd_getfd": unix.SYS_PIDFD_GETFD, "pidfd_open": unix.SYS_PIDFD_OPEN,
	"pidfd_send_signal": unix.SYS_PIDFD_SEND_SIGNAL, "pivot_root": unix.SYS_PIVOT_ROOT, "prctl": unix.SYS_PRCTL,
	"prlimit64": unix.SYS_PRLIMIT64, "seccomp": unix.SYS_SECCOMP, "setdomainname": unix.SYS_SETDOMAINNAME,
	"setgroups": unix.SYS_SETGROUPS, "sethostname": unix.SYS_SETHOSTNAME, "setns": unix.SYS_SETNS,
	"setresgid": unix.SYS_SETRESGID, "setresuid": unix.SYS_SETRESUID, "statx": unix.SYS_STATX,
	"umount2": unix.SYS_UMOUNT2, "unshare": unix.SYS_UNSHARE,
}

// forbid makes a system call fail with an error ("EPERM" or "ENOSYS"), and executes a
// program.
func forbid(call, errno string, argv []string) error {
	number, ok := calls[call]
	refusal, named := map[string]unix.Errno{"EPERM": unix.EPERM, "ENOSYS": unix.ENOSYS}[errno]
	if !ok || !named {
		return fmt.Errorf("forbid %s %s: not known", call, errno)
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the filter is on this thread, which executes the program
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // load the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: number, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(refusal)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return fmt.Errorf("prctl: PR_SET_SECCOMP: %w", err)
	}
	return unix.Exec(path, argv, os.Environ())
}
