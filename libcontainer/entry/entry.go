// SPDX-License-Identifier: Apache-2.0

// Package entry runs before the Go runtime, and first after it. It makes the start of the
// program cheaper; without it nothing else changes.
//
// The symbol skiff_entry is the program's entry point if the linker is told so (-E, in
// contrib/ldflags). It does two things, and goes on to the entry point of the Go runtime.
//
// It makes the timers of the first thread inexact. The threads of the runtime inherit that.
// The one that counts is the runtime's monitor (sysmon): in the first milliseconds of a
// program, it looks every 20 µs for threads that are blocked in a system call, and most
// verbs last no longer. That costs them a tenth of their time, unless the monitor oversleeps.
//
// And it adds GOMAXPROCS to the environment, unless the caller has set it: the runtime has
// no other way to be told early enough. The verbs do one thing at a time; for the second
// CPU, the runtime would start threads that find nothing to do.
//
// The package imports nothing, so that Go initializes it before the packages that do much.
package entry

// MonitorSlack is how late, in nanoseconds, timers of the runtime's threads may fire
// (prctl(2), PR_SET_TIMERSLACK): half of the time that the monitor sleeps when it has been
// idle for a while.
const MonitorSlack = 5000000

// callerSlack is what PR_GET_TIMERSLACK said before it was changed: the slack in
// nanoseconds, a negative error number, or 0 if this was not the entry point.
var callerSlack int64

// The variable that the entry point adds.
const (
	OneProc      = "GOMAXPROCS"
	OneProcValue = "01" // nobody else writes it like that
)

// CallerSlack returns the timer slack, in nanoseconds, with which the program was started;
// 0 if the entry point has not changed it.
func CallerSlack() uint64 {
	return uint64(max(callerSlack, 0))
}

// restore gives the calling thread, which is the first one, its timer slack back: what
// skiff itself waits for is to be in time.
func restore(slack int64)

// grow uses as much of the stack as a verb does. The stack of the main goroutine has 2 KiB
// at first, and Go copies it whenever it has to be twice as large; each size takes fresh
// pages, and each copy looks up all frames. So it is copied once, while it has few frames.
func grow()

func init() {
	if callerSlack > 0 {
		restore(callerSlack)
	}
	grow()
}
