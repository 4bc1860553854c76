// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"slices"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// fsconfig(2) takes a context without the quotes that mount(2) needs. Any other option
// with a comma makes the mount use mount(2).
func TestParameters(t *testing.T) {
	for _, c := range []struct {
		data   []string
		want   []string
		mount2 bool
	}{
		{[]string{"size=1m", `x="1"`}, []string{"size=1m", `x="1"`}, false},
		{[]string{`context="a:b:s0:c1,c2"`}, []string{"context=a:b:s0:c1,c2"}, false},
		{[]string{`rootcontext="a`, "context="}, []string{`rootcontext="a`, "context="}, false},
		{[]string{`lowerdir=/a\,b`}, []string{`lowerdir=/a\,b`}, true},
		{[]string{"user=a,password=b,,c"}, []string{"user=a,password=b,,c"}, true},
	} {
		m := &mount{Mount: plan.Mount{Type: "x", Data: c.data}}
		if got := parameters(m); !slices.Equal(got, c.want) || needsMount2(m) != c.mount2 {
			t.Errorf("%q: got %q, by mount(2): %v", c.data, got, needsMount2(m))
		}
	}
}
