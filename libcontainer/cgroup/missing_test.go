// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/undo"
)

// A value that sets no limit needs no controller.
func TestNoLimitWithoutController(t *testing.T) {
	const max = "18446744073709551615"
	for _, text := range []string{
		`{"pids":{"limit":-1}}`, `{"pids":{}}`, `{"pids":{"limit":-7}}`,
		`{"memory":{"limit":-1}}`, `{"memory":{"limit":-1,"swap":-1}}`, `{"memory":{"swap":-1}}`, `{"memory":{"reservation":-1}}`,
		`{"memory":{"kernel":-1,"kernelTCP":-1}}`, `{"memory":{"limit":0,"swap":0}}`,
		`{"cpu":{"quota":-1}}`, `{"cpu":{"quota":-1,"burst":0}}`, `{"cpu":{"idle":0}}`, `{"cpu":{"shares":0,"quota":0}}`, `{"cpu":{"realtimeRuntime":-1}}`,
		`{"hugepageLimits":[{"pageSize":"2MB","limit":` + max + `}]}`,
		`{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":0}]}}`,
		`{"network":{"priorities":[{"name":"lo","priority":0}]}}`, `{"network":{"classID":0}}`,
		`{"unified":{"memory.high":"max","io.max":"8:0 rbps=max wiops=max","misc.max":"x max","pids.max":"max\n","rdma.max":"a hca_handle=max"}}`,
	} {
		g := &Group{resources: resourcesOf(t, text)}
		if err := errors.Join(g.limitControllers(), g.limitUnified()); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		var u undo.Stack
		if _, err := g.Update(&Change{Named: resourcesOf(t, text)}, &u); err != nil {
			t.Errorf("update, %s: %v", text, err)
		}
	}
}

// A limit needs its controller, and the error names the limit.
func TestLimitWithoutController(t *testing.T) {
	for text, field := range map[string]string{
		`{"pids":{"limit":0}}`:                                 "pids.limit",
		`{"memory":{"limit":-1,"swap":-1,"reservation":4096}}`: "memory.reservation",
		`{"cpu":{"quota":-1,"shares":2}}`:                      "cpu.shares",
		`{"cpu":{"period":50000}}`:                             "cpu.period",
		`{"cpu":{"idle":1}}`:                                   "cpu.idle",
		`{"cpu":{"burst":1}}`:                                  "cpu.burst",
		`{"hugepageLimits":[{"pageSize":"2MB","limit":0}]}`:    "hugepageLimits[0]",
		`{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":0},{"major":8,"minor":0,"rate":1}]}}`: "blockIO.throttleReadBpsDevice[1]",
		`{"blockIO":{"weight":10}}`:                       "blockIO.weight",
		`{"unified":{"pids.max":"0"}}`:                    `unified["pids.max"]`,
		`{"unified":{"nosuch.max":"max"}}`:                `unified["nosuch.max"]`,
		`{"unified":{"io.max":"8:0 rbps=max wiops=9"}}`:   `unified["io.max"]`,
		`{"unified":{"memory.high":"max","a/b.c":"max"}}`: `unified["a/b.c"]`,
		`{"rdma":{"a":{"hcaHandles":1}}}`:                 `rdma["a"]`,
	} {
		g := &Group{resources: resourcesOf(t, text)}
		err := g.limitControllers()
		if err == nil {
			err = g.limitUnified()
		}
		var f *FieldError
		if !errors.As(err, &f) || f.Field != "linux.resources."+field {
			t.Errorf("%s: %v, want an error of %s", text, err, field)
		}
		var u undo.Stack
		if _, err := g.Update(&Change{Named: resourcesOf(t, text)}, &u); !errors.As(err, &f) || f.Field != "linux.resources."+field {
			t.Errorf("update, %s: %v, want an error of %s", text, err, field)
		}
	}
}

// Controllers that share a v1 hierarchy have one cgroup.
func TestSubShared(t *testing.T) {
	top := t.TempDir()
	m := member{names: []string{"cpu", "cpuacct"}, path: top}
	for _, c := range []struct {
		sub  map[string]string
		want []string
		err  string
	}{
		{map[string]string{"cpu": "a", "cpuacct": "a"}, []string{"cpu", "cpuacct"}, ""},
		{map[string]string{"cpu": "a", "cpuacct": "/x/../a/"}, []string{"cpu", "cpuacct"}, ""},
		{map[string]string{"cpuacct": "a", "": "b"}, []string{"cpuacct"}, ""},
		{map[string]string{"": "b"}, []string{""}, ""},
		{map[string]string{"pids": "b"}, nil, ""},
		{map[string]string{"cpu": "a", "cpuacct": "b"}, nil, `sub-cgroups "a" of cpu and "b" of cpuacct must be the same, as these controllers share a hierarchy`},
		{map[string]string{"cpu": "a", "cpuacct": "../a"}, nil, "share a hierarchy"},
	} {
		keys, err := subOf(&m, c.sub)
		if strings.Join(keys, " ") != strings.Join(c.want, " ") || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %q, %v; want %q, %q", c.sub, keys, err, c.want, c.err)
		}
	}
}
