// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestNetDevices(t *testing.T) {
	type devices = map[string]specs.LinuxNetDevice
	for _, s := range []struct {
		list     devices
		rootless bool
		want     string // errors
	}{
		{list: devices{"eth0": {}, "eth1": {Name: "a%d"}, "eth2": {Name: "a%d"}, "fifteen-bytes-x": {Name: "%d-fifteen-byte"}}},
		{list: devices{"eth0": {Name: "eth1"}, "eth1": {Name: "eth0"}}},
		{list: devices{"eth0": {}}, rootless: true, want: "linux.netDevices: requires privileges on the host: an ordinary user cannot move network devices"},
		{list: devices{"sixteen-bytes-xx": {}}, want: `linux.netDevices["sixteen-bytes-xx"]: "sixteen-bytes-xx" must be at most 15 bytes long, not 16`},
		{list: devices{"a b": {Name: "a:1"}}, want: `linux.netDevices["a b"]: "a b" is not a valid name of a network device; linux.netDevices["a b"].name: "a:1" is not a valid name of a network device`},
		{list: devices{"a": {Name: "%s"}}, want: `linux.netDevices["a"].name: "%s" must not contain %, except for one %d in the name inside the container`},
		{list: devices{"a": {}, "b": {Name: "a"}}, want: `linux.netDevices["b"].name: "a" is already the name of linux.netDevices["a"]`},
	} {
		spec := &specs.Spec{Linux: &specs.Linux{NetDevices: s.list, Namespaces: []specs.LinuxNamespace{{Type: specs.NetworkNamespace}}}}
		o := options
		o.Rootless = s.rootless
		c := newCompiler(spec, o)
		c.netDevices()
		if got := c.bad.Error(); got != s.want {
			t.Errorf("%v: %q, expected %q", s.list, got, s.want)
		}
	}
}

// A class of service cannot have the name of a file that resctrl has itself.
func TestClassNames(t *testing.T) {
	for _, s := range []struct {
		r    specs.LinuxIntelRdt
		id   string
		want string
	}{
		{r: specs.LinuxIntelRdt{}, id: "web"},
		{r: specs.LinuxIntelRdt{ClosID: "/", EnableMonitoring: true}, id: "info"},
		{r: specs.LinuxIntelRdt{ClosID: "gold"}, id: "info"},
		{r: specs.LinuxIntelRdt{}, id: "info", want: `linux.intelRdt.closID: not set, so the container's id is used: "info" is reserved, and cannot be the name of a class of service`},
		{r: specs.LinuxIntelRdt{ClosID: ".."}, id: "web", want: `linux.intelRdt.closID: ".." is reserved, and cannot be the name of a class of service`},
		{r: specs.LinuxIntelRdt{ClosID: "a\nb"}, id: "web", want: `linux.intelRdt.closID: "a\nb" must not contain a newline`},
	} {
		o := options
		o.ID = s.id
		c := newCompiler(&specs.Spec{Linux: &specs.Linux{IntelRdt: &s.r}}, o)
		c.intelRdt()
		if got := c.bad.Error(); got != s.want {
			t.Errorf("%+v: %q, expected %q", s.r, got, s.want)
		}
	}
}
