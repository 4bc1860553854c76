// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestUnifiedDevices(t *testing.T) {
	if !isolated(t) {
		return
	}
	all := specs.LinuxDeviceCgroup{Allow: true, Access: "rwm"}
	none := specs.LinuxDeviceCgroup{Allow: false, Access: "rwm"}
	kmsg := func(allow bool, access string) specs.LinuxDeviceCgroup {
		return specs.LinuxDeviceCgroup{Allow: allow, Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(11)), Access: access}
	}
	devices := func(d ...specs.LinuxDeviceCgroup) *specs.LinuxResources {
		return &specs.LinuxResources{Devices: d}
	}
	const denied = "null:ok,ok,ok kmsg:ok,EPERM,EPERM "
	for name, c := range map[string]struct {
		resources *specs.LinuxResources
		want      string // the results of mknod and of opening for reading and for writing
	}{
		"no resources":    {nil, denied},
		"null devices":    {&specs.LinuxResources{}, denied},
		"empty devices":   {devices([]specs.LinuxDeviceCgroup{}...), denied},
		"default config":  {devices(none), denied},
		"all":             {devices(all), "null:ok,ok,ok kmsg:ok,ok,ok "},
		"read":            {devices(none, kmsg(true, "r")), "null:ok,ok,ok kmsg:ok,ok,EPERM "},
		"all but write":   {devices(all, kmsg(false, "w")), "null:ok,ok,ok kmsg:ok,ok,EPERM "},
		"order":           {devices(kmsg(true, "rw"), none), denied},
		"reads of all":    {devices(none, specs.LinuxDeviceCgroup{Allow: true, Type: "c", Access: "r"}), "null:ok,ok,ok kmsg:ok,ok,EPERM "},
		"null by name":    {devices(none, specs.LinuxDeviceCgroup{Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(3)), Access: "rwm"}), "null:ok,EPERM,EPERM kmsg:ok,EPERM,EPERM "},
		"block like char": {devices(none, specs.LinuxDeviceCgroup{Allow: true, Type: "b", Major: ptr(int64(1)), Minor: ptr(int64(11)), Access: "rw"}), denied},
	} {
		g := newGroup(t, Config{Resources: c.resources})
		if err := g.Limit(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := devicesIn(t, g, "devices"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func devicesIn(t *testing.T, g *Group, helper string) string {
	t.Helper()
	var out strings.Builder
	c := exec.Command("/proc/self/exe")
	c.Env = []string{helperVar + "=" + helper}
	c.Stdout = &out
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := start(g, c); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
