// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"testing"
	"time"
)

// A burst passes at once; then one message may follow per interval, and after a pause
// there may be a burst again.
func TestPace(t *testing.T) {
	var p pace
	now := time.Unix(1000, 0)
	for i := range burst {
		if d := p.wait(now); d != 0 {
			t.Fatalf("message %d waits for %v", i, d)
		}
		p.take(now)
	}
	for range 3 {
		if d := p.wait(now); d != interval {
			t.Fatalf("it waits for %v, expected %v", d, interval)
		}
		now = now.Add(interval)
		if d := p.wait(now); d != 0 {
			t.Fatalf("it waits for %v", d)
		}
		p.take(now)
	}
	now = now.Add(time.Hour)
	for range burst {
		p.take(now)
	}
	if d := p.wait(now); d != interval {
		t.Errorf("after an hour a burst is followed by %v, expected %v", d, interval)
	}
}
