// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"encoding/json"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/undo"
)

func TestLeaveIdle(t *testing.T) {
	for _, c := range []struct{ old, change, named, merged string }{
		{`{"cpu":{"idle":1}}`, `{"cpu":{"shares":200}}`, `{"cpu":{"shares":200,"idle":0}}`, `{"cpu":{"shares":200,"idle":0}}`},
		{`{"cpu":{"idle":0}}`, `{"cpu":{"shares":200}}`, `{"cpu":{"shares":200}}`, `{"cpu":{"shares":200,"idle":0}}`},
		{`{"cpu":{"idle":1}}`, `{"cpu":{"shares":0,"quota":2000}}`, `{"cpu":{"quota":2000}}`, `{"cpu":{"quota":2000,"idle":1}}`},
		{`{"unified":{"cpu.idle":"1\n"}}`, `{"cpu":{"shares":200}}`, `{"cpu":{"shares":200,"idle":0}}`, `{"cpu":{"shares":200,"idle":0},"unified":{"cpu.idle":"1\n"}}`},
		{`{"cpu":{"idle":1}}`, `{"unified":{"cpu.weight":"7"}}`, `{"cpu":{"idle":0},"unified":{"cpu.weight":"7"}}`, `{"cpu":{"idle":0},"unified":{"cpu.weight":"7"}}`},
		{`{"unified":{"cpu.idle":"1"}}`, `{"unified":{"cpu.weight":"7"}}`, `{"cpu":{"idle":0},"unified":{"cpu.weight":"7"}}`,
			`{"cpu":{"idle":0},"unified":{"cpu.idle":"1","cpu.weight":"7"}}`},
		{`{}`, `{"cpu":{"shares":200}}`, `{"cpu":{"shares":200}}`, `{"cpu":{"shares":200}}`},
	} {
		old, named := strip(resourcesOf(t, c.old)), strip(resourcesOf(t, c.change))
		merged := Merge(old, named, true)
		leaveIdle(old, named, merged)
		for _, g := range [][2]string{{asJSON(t, named), c.named}, {asJSON(t, merged), c.merged}} {
			if g[0] != asJSON(t, resourcesOf(t, g[1])) {
				t.Errorf("%s after %s: %s, want %s", c.change, c.old, g[0], g[1])
			}
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestIdleAndShares(t *testing.T) {
	for _, change := range []string{
		`{"cpu":{"shares":200,"idle":1}}`, `{"cpu":{"shares":200},"unified":{"cpu.idle":"1"}}`, `{"cpu":{"idle":1},"unified":{"cpu.weight":"9"}}`,
	} {
		var u undo.Stack
		_, err := new(Group).Update(&Change{Named: resourcesOf(t, change)}, &u)
		if err == nil || err.Error()[:len("linux.resources.cpu.idle: 1 conflicts with")] != "linux.resources.cpu.idle: 1 conflicts with" {
			t.Errorf("%s: %v", change, err)
		}
	}
}
