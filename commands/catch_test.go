// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// Each signal arrives as one byte, whatever thread and code it interrupts. The handlers
// stay installed: no other test uses these signals.
func TestCatchSignals(t *testing.T) {
	list := []unix.Signal{unix.SIGUSR1, unix.SIGWINCH, sigRTMin, sigRTMax}
	fd, err := catchSignals(list)
	if err != nil {
		t.Fatal(err)
	}
	stop := keepBusy()
	defer stop()
	for range 200 {
		for _, s := range list {
			if err := unix.Kill(unix.Getpid(), s); err != nil {
				t.Fatal(err)
			}
			var b [8]byte
			if n, err := unix.Read(fd, b[:]); err != nil || !slices.Equal(b[:n], []byte{byte(s)}) {
				t.Fatalf("signal %d: read %v, %v", s, b[:n], err)
			}
		}
	}
}

// keepBusy starts goroutines that grow their stacks and collect garbage.
func keepBusy() (stop func()) {
	done := make(chan struct{})
	for range 2 {
		go func() {
			for n := 1; ; n++ {
				select {
				case <-done:
					return
				default:
					deep(n % 2000)
				}
				if n%500 == 0 {
					runtime.GC()
				}
			}
		}()
	}
	return func() { close(done) }
}

func deep(n int) int {
	var pad [64]byte
	if n == 0 {
		return 0
	}
	pad[n%len(pad)] = 1
	return deep(n-1) + int(pad[0])
}

// If the reader does not keep up, signals are lost, and nobody blocks.
func TestCatchSignalsFullPipe(t *testing.T) {
	fd, err := catchSignals([]unix.Signal{sigRTMax - 1})
	if err != nil {
		t.Fatal(err)
	}
	size, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, 4096)
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // the signal is then handled before Tgkill returns
	defer runtime.UnlockOSThread()
	for range size + 100 {
		if err := unix.Tgkill(unix.Getpid(), unix.Gettid(), sigRTMax-1); err != nil {
			t.Fatal(err)
		}
	}
	b := make([]byte, 2*size)
	n, err := unix.Read(fd, b)
	if err != nil || n != size {
		t.Errorf("%d bytes in a pipe of %d, %v", n, size, err)
	}
}
