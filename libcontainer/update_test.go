// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Everything except the limits stays as it is, including unknown keys and large
// numbers.
func TestReplaceLimits(t *testing.T) {
	n := int64(7)
	l := &limits{Resources: &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &n}}}
	rdt := &limits{Resources: l.Resources, IntelRdt: &specs.LinuxIntelRdt{ClosID: "a", MemBwSchema: "MB:0=20"}}
	for _, c := range []struct {
		raw  string
		with *limits
		want string
	}{
		{`{"a":[1.0,12345678901234567890],"linux":{"resources":{"pids":{"limit":1}},"x":{"y":null}}}`, l,
			`{"a":[1.0,12345678901234567890],"linux":{"resources":{"pids":{"limit":7}},"x":{"y":null}}}`},
		{`{}`, l, `{"linux":{"resources":{"pids":{"limit":7}}}}`},
		{`{"Linux":{"Resources":{}},"process":{"noNewPrivileges":false}}`, l,
			`{"linux":{"resources":{"pids":{"limit":7}}},"process":{"noNewPrivileges":false}}`},
		{`{"linux":{"intelRdt":{"closID":"a"}}}`, rdt,
			`{"linux":{"intelRdt":{"closID":"a","memBwSchema":"MB:0=20"},"resources":{"pids":{"limit":7}}}}`},
	} {
		got, err := replaceLimits([]byte(c.raw), c.with)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v; want %s", c.raw, got, err, c.want)
			continue
		}
		back, err := limitsIn(got)
		if err != nil || !reflect.DeepEqual(back.Resources, l.Resources) {
			t.Errorf("%s: read back as %+v, %v", got, back, err)
		}
		if !json.Valid(got) {
			t.Errorf("%s is no JSON", got)
		}
	}
	for _, raw := range []string{`[]`, `{"linux":[]}`, ``} {
		if got, err := limitsIn([]byte(raw)); err == nil {
			t.Errorf("%q: %+v", raw, got)
		}
	}
}
