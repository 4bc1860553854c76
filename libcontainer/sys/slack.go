package sys

import (
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// monitorSlack is how late, in nanoseconds, the Go runtime's monitor may wake:
// half of what it sleeps itself when it has seen nothing for a while.
const monitorSlack = 5000000

// callerSlack is the timer slack of the thread that called [SlowMonitor].
var callerSlack uint64

// SlowMonitor is for the begin of a program, on its first thread. It keeps the
// Go runtime's monitor (sysmon) from waking each 20 µs to look for threads that
// a system call holds up, as it does for the first milliseconds: for most verbs
// that is all their time, and costs a tenth of it. The monitor's timers are made
// inexact (proc(5), /proc/PID/timerslack_ns), which takes CAP_SYS_NICE; without
// it nothing changes.
//
// A thread that the monitor makes inherits this, and passes it on to a process:
// see [TimerSlack] and [WithTimerSlack].
func SlowMonitor() {
	callerSlack = TimerSlack()
	tid := firstThread(unix.Getpid())
	if tid < 0 || !ownProc() { // it would be another's number there
		return
	}
	fd, err := unix.Open("/proc/"+strconv.Itoa(tid)+"/timerslack_ns", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	_, _ = unix.Write(fd, strconv.AppendInt(nil, monitorSlack, 10))
	unix.Close(fd)
}

// firstThread finds the thread of process pid that was made first, the
// monitor's: its number is the next one, unless others have taken some
// meanwhile. -1: it is none of the next few.
func firstThread(pid int) int {
	const few = 32
	for tid := pid + 1; tid <= pid+few; tid++ {
		if unix.Tgkill(pid, tid, 0) == nil {
			return tid
		}
	}
	return -1
}

// TimerSlack is what a process that we start is to have: the timer slack that
// skiff was started with, in nanoseconds.
func TimerSlack() uint64 {
	if callerSlack != 0 {
		return callerSlack
	}
	n, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return 0 // the kernel's way to say "as it was"
	}
	return uint64(n)
}

// WithTimerSlack calls start, which starts a process, on a thread that has the
// [TimerSlack].
func WithTimerSlack(start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(TimerSlack()), 0, 0, 0)
	return start()
}
