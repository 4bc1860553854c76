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
		{0, leave},
		{49 * time.Millisecond, leave},
		{50 * time.Millisecond, kill},
		{1999 * time.Millisecond, kill},
		{2 * time.Second, terminate},
		{4*time.Second - 1, terminate},
		{4 * time.Second, slay},
		{6*time.Second - 1, slay},
		{6 * time.Second, giveUp},
		{time.Hour, giveUp},
	} {
		if got := measureAfter(c.waited); got != c.want {
			t.Errorf("after %v: %d, want %d", c.waited, got, c.want)
		}
	}
}
