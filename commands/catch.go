package commands

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maskSize is the size in bytes of the kernel's set of signals.
const maskSize = 8

// caught is the descriptor that the handler writes to.
var caught uintptr

// catchAction is the kernel's struct sigaction with the handler, which writes
// the number of its signal as a byte, and all signals blocked meanwhile. The
// struct differs between machines: see catch_GOARCH.s.
//
// The handler is machine code because it runs wherever the signal finds a
// thread, where a Go function could not.
var catchAction [4]uintptr

// catchSignals has the given signals written to a pipe, one byte each, and
// returns its other end. os/signal would take two changes of threads for each
// signal, which for all of them is longer than a container takes to start.
func catchSignals(list []unix.Signal) (int, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return -1, fmt.Errorf("pipe: %w", err)
	}
	caught = uintptr(p[1])
	// The handler must not wait, whatever happens at the other end: a full
	// pipe loses a signal, as the kernel does with one that is pending.
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
