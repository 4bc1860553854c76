// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// The last value of a name wins, in the place of the first. Names are compared as a whole.
func TestEnvironment(t *testing.T) {
	for _, c := range []struct{ env, want []string }{
		{nil, []string{}},
		{[]string{"A=1", "B=2"}, []string{"A=1", "B=2"}},
		{[]string{"A=1", "B=2", "A=3"}, []string{"A=3", "B=2"}},
		{[]string{"A=1", "AB=2", "A==3", "A="}, []string{"A=", "AB=2"}},
	} {
		k := newCompiler(new(specs.Spec), options)
		if got := k.environment(c.env, "env"); !slices.Equal(got, c.want) || len(k.bad) > 0 {
			t.Errorf("%q: %q (%v), expected %q", c.env, got, k.bad, c.want)
		}
	}
}

// The time is linear in the number of variables: if it were quadratic, this would take
// minutes.
func TestManyVariables(t *testing.T) {
	env := make([]string, 300_000)
	for i := range env {
		env[i] = fmt.Sprintf("VARIABLE_%d=x", i)
	}
	begin := time.Now()
	newCompiler(new(specs.Spec), options).environment(env, "env")
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("%d variables took %v", len(env), d)
	}
}
