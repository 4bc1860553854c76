// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"testing"
	"time"
)

func TestMeasureAfter(t *testing.T) {
	for _, c := range []struct {
		waited time.Duration
		want   measure
	}{
		{0, nothing},
		{49 * time.Millisecond, nothing},
		{50 * time.Millisecond, killContainer},
		{1999 * time.Millisecond, killContainer},
		{2 * time.Second, terminateHolder},
		{4*time.Second - 1, terminateHolder},
		{4 * time.Second, killHolder},
		{6*time.Second - 1, killHolder},
		{6 * time.Second, giveUp},
		{time.Hour, giveUp},
	} {
		if got := measureAfter(c.waited); got != c.want {
			t.Errorf("after %v: %d, want %d", c.waited, got, c.want)
		}
	}
}
