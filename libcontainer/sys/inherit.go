// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"os"
	"os/signal"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file keeps processes from inheriting what they should not get from skiff's
// caller: see docs/INHERITED.md.

// OwnFiles marks all descriptors of the caller close-on-exec, so that a new process gets
// only those that it is given. Descriptors that skiff opens are marked already.
func OwnFiles() error {
	return ownFiles.get(func() error {
		return wrap("close_range", "", unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC))
	})
}

var ownFiles once[error]

// hookUmask is the umask of hooks, whatever the caller's is.
const hookUmask = 0o022

// Afresh calls start, which starts a hook, in such a way that the hook inherits none of
// the caller's descriptors, signal dispositions, signal mask and umask.
func Afresh(start func() error) error {
	return WithTimerSlack(func() error {
		if err := OwnFiles(); err != nil {
			return err
		}
		defer unix.Umask(unix.Umask(hookUmask))
		var none, mask unix.Sigset_t
		if err := unix.PthreadSigmask(unix.SIG_SETMASK, &none, &mask); err != nil {
			return wrap("sigprocmask", "", err)
		}
		defer unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil)
		forgetReserved()
		defer catchIgnored()()
		return start()
	})
}

// leftIgnored are the signals that the Go runtime leaves ignored if the caller ignores
// them.
var leftIgnored = [...]unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTSTP, unix.SIGCONT, unix.SIGTTIN, unix.SIGTTOU}

// reserved are signals that C libraries reserve for themselves and the Go runtime does
// not use. posix_spawn(3), with which make(1) starts programs, ignores one of them.
var reserved = [...]unix.Signal{32, 33, 34}

// forgetReserved gives reserved signals their default disposition. Nobody sends them to
// this process, so that need not be undone.
func forgetReserved() {
	var plain [4]uintptr
	for _, s := range reserved {
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&plain)), 0, 8, 0, 0)
	}
	runtime.KeepAlive(&plain)
}

// catchIgnored catches and drops the signals that the caller ignores, because execve(2)
// resets signals that are caught, but not those that are ignored. It must be undone
// soon: otherwise a read from the terminal in the background would be retried for ever.
func catchIgnored() (undo func()) {
	var list []os.Signal
	for _, s := range leftIgnored {
		if Ignored(s) {
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		return func() {}
	}
	signal.Notify(make(chan os.Signal, 1), list...)
	return func() { signal.Ignore(list...) }
}

// Ignored reports whether this process ignores a signal, because its caller did, as
// nohup(1) does.
func Ignored(s unix.Signal) bool {
	const sigIgn, maskSize = 1, 8
	var action [4]uintptr // its handler is the first field everywhere
	_, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), 0, uintptr(unsafe.Pointer(&action)), maskSize, 0, 0)
	runtime.KeepAlive(&action)
	return e == 0 && action[0] == sigIgn
}
