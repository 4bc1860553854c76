// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maskSize is the size of the kernel's sigset_t, in bytes.
const maskSize = 8

// caught is the descriptor that the signal handler writes to.
var caught uintptr

// catchAction is the kernel's struct sigaction with the signal handler, which writes
// the signal's number as one byte. All signals are blocked while it runs. The struct
// differs between machines: see catch_GOARCH.s.
//
// The handler is written in assembly because the kernel runs it on whatever thread and
// code the signal interrupts, where no Go function can run.
var catchAction [4]uintptr

// catchSignals installs a handler for the given signals that writes the number of each
// signal to a pipe, as one byte, and returns the read end. os/signal needs two thread
// switches to enable each signal: for all signals, that takes longer than the start of
// a container.
func catchSignals(list []unix.Signal) (int, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return -1, fmt.Errorf("pipe: %w", err)
	}
	caught = uintptr(p[1])
	// The handler must not block if nobody reads. If the pipe is full, a signal is lost,
	// as a second one is while the first is pending.
	if err := unix.SetNonblock(int(caught), true); err != nil {
		return -1, fmt.Errorf("pipe: %w", err)
	}
	for _, s := range list {
		_, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&catchAction)), 0, maskSize, 0, 0)
		if e != 0 {
			return -1, fmt.Errorf("sigaction: %w", e)
		}
	}
	return p[0], nil
}
