// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func slackOf(t *testing.T, tid int) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/timerslack_ns", tid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// The monitor is slow, and processes that are started are not affected.
func TestSlowMonitor(t *testing.T) {
	tid := firstThread(os.Getpid())
	if tid < 0 {
		t.Fatal("no thread follows the first one")
	}
	if _, err := os.ReadFile(fmt.Sprintf("/proc/%d/timerslack_ns", tid)); errors.Is(err, unix.EPERM) {
		t.Skip("needs CAP_SYS_NICE for the timer slack of another thread")
	}
	SlowMonitor()
	t.Cleanup(func() { callerSlack = 0 })
	if got := slackOf(t, tid); got != fmt.Sprint(monitorSlack) {
		t.Errorf("the monitor's timer slack is %s, expected %d", got, monitorSlack)
	}
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, monitorSlack, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	_ = WithTimerSlack(func() error {
		if got := slackOf(t, unix.Gettid()); got != fmt.Sprint(TimerSlack()) || got == fmt.Sprint(monitorSlack) {
			t.Errorf("the timer slack of what is started is %s, the caller's is %d", got, TimerSlack())
		}
		return nil
	})
}
