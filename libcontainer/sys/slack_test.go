// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/entry"
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

// Processes that are started have the timer slack of the caller, not that of a thread.
func TestWithTimerSlack(t *testing.T) {
	runtime.LockOSThread() // not unlocked: the thread ends with the test
	caller := TimerSlack()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, entry.MonitorSlack, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	if got := TimerSlack(); entry.CallerSlack() == 0 && got != entry.MonitorSlack {
		t.Errorf("without the entry point, the slack is %d, the thread's is %d", got, entry.MonitorSlack)
	}
	_ = WithTimerSlack(func() error {
		if got := slackOf(t, unix.Gettid()); got != fmt.Sprint(TimerSlack()) {
			t.Errorf("the timer slack of what is started is %s, expected %d (%d)", got, TimerSlack(), caller)
		}
		return nil
	})
}
