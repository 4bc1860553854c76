// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"runtime"

	"github.com/skiff-oci/skiff/libcontainer/entry"
	"golang.org/x/sys/unix"
)

// TimerSlack returns the timer slack, in nanoseconds, that skiff was started with, and
// that the processes it starts are to have. Threads of skiff may have another: see package
// entry.
func TimerSlack() uint64 {
	if slack := entry.CallerSlack(); slack != 0 {
		return slack
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
