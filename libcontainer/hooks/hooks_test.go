package hooks

import (
	"math"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// A timeout that is longer than a time can be is as long as it can be.
func TestLimit(t *testing.T) {
	const most = math.MaxInt64 / int64(time.Second)
	for seconds, want := range map[int]time.Duration{
		1: time.Second, 3600: time.Hour, int(most): time.Duration(most) * time.Second,
		int(most) + 1: time.Duration(most) * time.Second, math.MaxInt64: time.Duration(most) * time.Second,
	} {
		if got := limit(seconds); got != want {
			t.Errorf("%d s: %v, expected %v", seconds, got, want)
		}
		p := new(plan.Program)
		if err := Add(p, []specs.Hook{{Path: "/x", Timeout: &seconds}}, "x", specs.State{}, nil); err != nil {
			t.Fatal(err)
		}
		if ms := p.Ops[0].N[2]; ms != uint64(want.Milliseconds()) {
			t.Errorf("%d s: %d ms", seconds, ms)
		}
	}
	if err := Run([]specs.Hook{{Path: "/bin/true", Timeout: ptr(math.MaxInt64)}}, "x", specs.State{}); err != nil {
		t.Error(err)
	}
}

func ptr(n int) *int { return &n }
