// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// monitorSlack is how late, in nanoseconds, the Go runtime's monitor may wake up: half
// of the time that it sleeps when it has been idle for a while.
const monitorSlack = 5000000

// callerSlack is the timer slack of the thread that called [SlowMonitor].
var callerSlack uint64

// SlowMonitor must be called at the beginning of a program, on its first thread. It
// keeps the Go runtime's monitor (sysmon) from waking up every 20 µs to look for threads
// that are blocked in a system call, as it does during the first milliseconds. Most verbs
// run no longer than that, and it would cost them a tenth of their time. SlowMonitor
// makes the monitor's timers inexact (proc(5), /proc/PID/timerslack_ns), which needs
// CAP_SYS_NICE; without it nothing changes.
//
// A thread that the monitor creates inherits the slack, and so does a process that such
// a thread starts: see [TimerSlack] and [WithTimerSlack].
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

// firstThread finds the thread that process pid created first, the monitor's. Its number
// is the one after pid, unless other processes took some numbers in between. It returns
// -1 if none of the next few numbers is a thread of the process.
func firstThread(pid int) int {
	const few = 32
	for tid := pid + 1; tid <= pid+few; tid++ {
		if unix.Tgkill(pid, tid, 0) == nil {
			return tid
		}
	}
	return -1
}

// TimerSlack returns the timer slack, in nanoseconds, that skiff was started with, and
// that the processes it starts are to have.
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

// WithTimerSlack calls start, which starts a process, on a thread with the timer slack
// [TimerSlack].
func WithTimerSlack(start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(TimerSlack()), 0, 0, 0)
	return start()
}
