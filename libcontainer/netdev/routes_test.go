// SPDX-License-Identifier: Apache-2.0

package netdev

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// No privilege is needed to look at the devices of one's own namespace.
func TestLoopback(t *testing.T) {
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	lo, err := c.byName("lo")
	if err != nil || lo.name != "lo" || lo.master != 0 {
		t.Fatalf("%+v, %v", lo, err)
	}
	if again, err := c.byIndex(lo.index); err != nil || again != lo {
		t.Errorf("by its index %d: %+v, %v, expected %+v", lo.index, again, err, lo)
	}
	if all, err := c.links(); err != nil || !slices.Contains(all, lo) {
		t.Errorf("%+v, %v: %+v is not there", all, err, lo)
	}
	if list, err := c.addresses(lo.index); err != nil || len(list) > 0 && !lo.up {
		t.Errorf("addresses %v, %v", list, err)
	}
	if _, err := c.routes(lo.index); err != nil {
		t.Errorf("routes: %v", err)
	}
	if _, err := c.byName("no_such_device"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("by a name that is not there: %v", err)
	}
	if _, err := c.byIndex(1<<31 - 1); !errors.Is(err, unix.ENODEV) {
		t.Errorf("by an index that is not there: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	devices := map[string]specs.LinuxNetDevice{"v0": {}}
	for target, want := range map[string]string{
		"/nosuch/namespace":        "linux.netDevices: open /nosuch/namespace: no such file or directory",
		"/proc/thread-self/ns/net": "linux.netDevices: the container must have a network namespace other than skiff's own",
	} {
		if _, err := Prepare(devices, target); err == nil || err.Error() != want {
			t.Errorf("Prepare %s: %v", target, err)
		}
		if _, err := Missing(devices, target); err == nil || err.Error() != want {
			t.Errorf("Missing %s: %v", target, err)
		}
	}
	if missing, err := Missing(nil, "/nosuch/namespace"); missing != nil || err != nil {
		t.Errorf("without devices: %v, %v", missing, err)
	}
	if err := Recover(nil, "/proc/thread-self/ns/net"); err == nil || !strings.HasPrefix(err.Error(), "linux.netDevices: ") {
		t.Errorf("Recover: %v", err)
	}
}

// An error about a device that cannot be moved comes before any device is moved.
func TestPrepareRefuses(t *testing.T) {
	target := namespaces(t)
	for name, tt := range map[string]struct {
		device, newName, want string
	}{
		"no such device": {"v7", "", `linux.netDevices["v7"]: no such network device in skiff's network namespace: no such device`},
		"a name there":   {"lo", "", `linux.netDevices["lo"]: the container's network namespace already has a device named lo: file exists`},
	} {
		_, err := Prepare(map[string]specs.LinuxNetDevice{tt.device: {Name: tt.newName}}, target)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	missing, err := Missing(map[string]specs.LinuxNetDevice{"lo": {}, "v0": {Name: "eth%d"}, "v1": {Name: "lo"}}, target)
	if err != nil || len(missing) != 1 || missing["v0"].Name != "eth%d" {
		t.Errorf("missing: %v, %v", missing, err)
	}
	m, err := Prepare(map[string]specs.LinuxNetDevice{"lo": {Name: "lo1"}}, target)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Do(); err == nil || !strings.HasPrefix(err.Error(), `linux.netDevices["lo"]: move it into the container as lo1: `) {
		t.Errorf("lo is moved: %v", err)
	}
	if err := m.Undo(); err != nil {
		t.Errorf("nothing was moved: %v", err)
	}
}

// addRoute adds a route to 10.NET.0.0/16, through a gateway or directly through the
// device.
func addRoute(t *testing.T, c *conn, index uint32, net byte, gateway []byte) {
	t.Helper()
	fixed := rtmsg(unix.RTPROT_STATIC, unix.RTN_UNICAST, 0)
	if gateway == nil {
		fixed[6] = unix.RT_SCOPE_LINK
	}
	m := newMessage(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, fixed)
	m.attr(unix.RTA_DST, []byte{10, net, 0, 0})
	if gateway != nil {
		m.attr(unix.RTA_GATEWAY, gateway)
	}
	m.number(unix.RTA_OIF, index)
	if err := c.do(m, nil); err != nil {
		t.Fatal(err)
	}
}

// bridge makes a bridge, or skips the test.
func bridge(t *testing.T, c *conn, name string) link {
	t.Helper()
	var info message
	info.text(unix.IFLA_INFO_KIND, "bridge")
	m := newMessage(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, infomsg(0, 0, 0))
	m.text(unix.IFLA_IFNAME, name)
	m.attr(unix.IFLA_LINKINFO, info)
	if err := c.do(m, nil); errors.Is(err, unix.EOPNOTSUPP) {
		t.Skipf("the kernel has no bridges: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	l, err := c.byName(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A device that is moved back has its routes again, one of which leads to the gateway
// of the other.
func TestRoutesComeBack(t *testing.T) {
	target := namespaces(t)
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	veth(t, c, 0, "v0", "v1")
	l, err := c.byName("v0")
	if err != nil {
		t.Fatal(err)
	}
	addAddress(t, c, l.index, []byte{10, 1, 2, 3}, 24)
	if err := c.up(l.index); err != nil {
		t.Fatal(err)
	}
	addRoute(t, c, l.index, 9, nil)
	addRoute(t, c, l.index, 8, []byte{10, 9, 0, 1})
	before, err := c.routes(l.index)
	if err != nil || len(before) != 2 {
		t.Fatalf("%v, %v", before, err)
	}
	m, err := Prepare(map[string]specs.LinuxNetDevice{"v0": {}}, target)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := errors.Join(m.Do(), m.Undo()); err != nil {
		t.Fatal(err)
	}
	after, err := c.routes(l.index)
	if err != nil || len(after) != 2 {
		t.Errorf("%d routes, %v, there were 2", len(after), err)
	}
	if err := c.setRoutes([]string{string(before[0]), string(before[1])}, l.index); err != nil {
		t.Errorf("routes that are there: %v", err)
	}
	if err := c.setRoutes([]string{string(before[0])}, 1<<31-1); err == nil {
		t.Error("routes of a device that is not there: no error")
	}
}

func TestMasterComesBack(t *testing.T) {
	target := namespaces(t)
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	veth(t, c, 0, "v0", "v1")
	master := bridge(t, c, "br0")
	l, err := c.byName("v0")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.enslave(l.index, master.index); err != nil {
		t.Fatal(err)
	}
	m, err := Prepare(map[string]specs.LinuxNetDevice{"v0": {Name: "eth0"}}, target)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := errors.Join(m.Do(), m.Undo()); err != nil {
		t.Fatal(err)
	}
	if after, err := c.byName("v0"); err != nil || after.master != master.index || after.index != l.index {
		t.Errorf("%+v, %v, expected the master %d", after, err, master.index)
	}
}

// If another device has the index by now, that one keeps it.
func TestIndexTaken(t *testing.T) {
	target := namespaces(t)
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	veth(t, c, 25, "v0", "v1") // the second has index 50
	m, err := Prepare(map[string]specs.LinuxNetDevice{"v1": {}}, target)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Do(); err != nil {
		t.Fatal(err)
	}
	veth(t, c, 50, "w0", "w1")
	if err := m.Undo(); err != nil {
		t.Fatal(err)
	}
	after, err := c.byName("v1")
	if other, err := c.byIndex(50); err != nil || other.name != "w0" {
		t.Errorf("%+v, %v", other, err)
	}
	if err != nil || after.index == 50 {
		t.Errorf("%+v, %v", after, err)
	}
}
