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
		{list: devices{"eth0": {}}, rootless: true, want: "linux.netDevices: is not possible without privileges on the host"},
		{list: devices{"sixteen-bytes-xx": {}}, want: `linux.netDevices["sixteen-bytes-xx"]: "sixteen-bytes-xx" has 16 bytes, at most 15 are possible`},
		{list: devices{"a b": {Name: "a:1"}}, want: `linux.netDevices["a b"]: "a b" is no name of a network device; linux.netDevices["a b"].name: "a:1" is no name of a network device`},
		{list: devices{"a": {Name: "%s"}}, want: `linux.netDevices["a"].name: "%s": the only use of % is one %d in the name inside the container`},
		{list: devices{"a": {}, "b": {Name: "a"}}, want: `linux.netDevices["b"].name: "a" is the name of linux.netDevices["a"] already`},
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
		{r: specs.LinuxIntelRdt{}, id: "info", want: `linux.intelRdt.closID: without one the container's id is taken, and: "info" can be no class of service`},
		{r: specs.LinuxIntelRdt{ClosID: ".."}, id: "web", want: `linux.intelRdt.closID: ".." can be no class of service`},
		{r: specs.LinuxIntelRdt{ClosID: "a\nb"}, id: "web", want: `linux.intelRdt.closID: "a\nb" has a newline`},
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
