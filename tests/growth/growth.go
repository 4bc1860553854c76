// SPDX-License-Identifier: Apache-2.0

// Package growth checks in tests that the cost of something grows in proportion to its
// input.
package growth

import (
	"math"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// factor is how much larger the larger input is, and most how much longer it may take:
// what grows linearly takes 4 times as long, and what grows with the square 16 times.
const (
	factor = 4
	most   = 8
)

// Linear fails the test if work takes too long for an input that is 4 times as large as n.
// prepare makes the work for an input of a size, and is not measured. Each is measured
// several times, of which the fastest counts. What is measured is the time that the
// thread has had a CPU, since on a busy machine what takes long has to wait more often.
// n must be large enough for a square to show.
func Linear(t *testing.T, n int, prepare func(n int) (work func())) {
	t.Helper()
	const least, tries = 3, 15
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	works := [...]func(){prepare(n), prepare(factor * n)}
	fastest := [...]time.Duration{math.MaxInt64, math.MaxInt64}
	for try := 1; try <= tries; try++ {
		for i, work := range works {
			begun := used(t)
			work()
			fastest[i] = min(fastest[i], used(t)-begun)
		}
		if try >= least && fastest[1] < most*fastest[0] {
			return
		}
	}
	t.Errorf("%d take %v, and %d take %v: expected less than %d times as long", n, fastest[0], factor*n, fastest[1], most)
}

// used returns the CPU time of the thread.
func used(t *testing.T) time.Duration {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		t.Fatal(err)
	}
	return time.Duration(now.Nano())
}
