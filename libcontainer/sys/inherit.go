package sys

import (
	"os"
	"os/signal"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a process inherits of skiff's caller, and should not: see
// docs/INHERITED.md.

// OwnFiles marks all descriptors of the caller close-on-exec: what is started
// gets those alone that it is given. All that skiff opens are marked already.
var OwnFiles = sync.OnceValue(func() error {
	return wrap("close_range", "", unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC))
})

// hookUmask is what hooks get, whatever the caller has.
const hookUmask = 0o022

// Afresh calls start, which starts a hook, so that it has none of the caller's
// descriptors, signal dispositions, signal mask, umask.
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

// leftIgnored are the signals that the Go runtime leaves as they were if the
// caller ignores them.
var leftIgnored = [...]unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTSTP, unix.SIGCONT, unix.SIGTTIN, unix.SIGTTOU}

// reserved are signals that C libraries keep to themselves and the Go runtime has
// no use for. posix_spawn(3), by which make(1) starts programs, ignores one.
var reserved = [...]unix.Signal{32, 33, 34}

// forgetReserved has reserved signals do what they do by default: nobody sends
// them to us, so they can stay so.
func forgetReserved() {
	var plain [4]uintptr
	for _, s := range reserved {
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&plain)), 0, 8, 0, 0)
	}
	runtime.KeepAlive(&plain)
}

// catchIgnored has signals that the caller ignores be caught, and passed over:
// execve(2) resets what is caught, and not what is ignored. Not for long: a read
// of the terminal from the background would be tried for ever.
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

// Ignored reports whether this process ignores a signal: its caller had it do
// so, as nohup(1) does.
func Ignored(s unix.Signal) bool {
	const sigIgn, maskSize = 1, 8
	var action [4]uintptr // its handler is the first field everywhere
	_, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), 0, uintptr(unsafe.Pointer(&action)), maskSize, 0, 0)
	runtime.KeepAlive(&action)
	return e == 0 && action[0] == sigIgn
}
