// SPDX-License-Identifier: Apache-2.0

package netdev

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// namespaces moves the test's thread into a new network namespace, and returns the path
// of another new one.
func namespaces(t *testing.T) (target string) {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("cannot make a network namespace: %v", err)
	}
	f, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("/proc/self/fd/%d", f.Fd())
}

// veth makes a pair of devices, or skips the test. The first has the index, the second
// twice the index; if it is 0 the kernel chooses both.
func veth(t *testing.T, c *conn, index uint32, name, peer string) {
	t.Helper()
	const linkInfo, infoKind, infoData, vethPeer = unix.IFLA_LINKINFO, unix.IFLA_INFO_KIND, unix.IFLA_INFO_DATA, 1
	other := message(infomsg(index*2, 0, 0))
	other.text(unix.IFLA_IFNAME, peer)
	var data, info message
	data.attr(vethPeer, other)
	info.text(infoKind, "veth")
	info.attr(infoData, data)
	m := newMessage(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, infomsg(index, 0, 0))
	m.text(unix.IFLA_IFNAME, name)
	m.attr(linkInfo, info)
	if err := c.do(m, nil); errors.Is(err, unix.EOPNOTSUPP) {
		t.Skipf("the kernel has no veth devices: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
}

func addAddress(t *testing.T, c *conn, index uint32, ip []byte, bits byte) {
	t.Helper()
	family := byte(unix.AF_INET)
	if len(ip) == 16 {
		family = unix.AF_INET6
	}
	fixed := []byte{family, bits, 0, unix.RT_SCOPE_UNIVERSE, 0, 0, 0, 0}
	binary.NativeEndian.PutUint32(fixed[4:], index)
	m := newMessage(unix.RTM_NEWADDR, unix.NLM_F_CREATE, fixed)
	m.attr(unix.IFA_LOCAL, ip)
	m.attr(unix.IFA_ADDRESS, ip)
	if err := c.do(m, nil); err != nil {
		t.Fatal(err)
	}
}

func ips(t *testing.T, c *conn, index uint32) (all [][]byte) {
	t.Helper()
	list, err := c.addresses(index)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		all = append(all, attrs(a[unix.SizeofIfAddrmsg:])[unix.IFA_ADDRESS])
	}
	return all
}

func equal(a, b [][]byte) bool {
	return slices.EqualFunc(a, b, func(x, y []byte) bool { return string(x) == string(y) })
}

func TestMoveAndUndo(t *testing.T) {
	target := namespaces(t)
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	veth(t, c, 0, "v0", "v1")
	before, err := c.byName("v0")
	if err != nil {
		t.Fatal(err)
	}
	v4, v6 := []byte{10, 1, 2, 3}, append([]byte{0xfd}, make([]byte, 15)...)
	addAddress(t, c, before.index, v4, 24)
	addAddress(t, c, before.index, v6, 64)
	if err := c.up(before.index); err != nil {
		t.Fatal(err)
	}
	m, err := Prepare(map[string]specs.LinuxNetDevice{"v0": {Name: "eth%d"}, "v1": {}}, target)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Do(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.byName("v0"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("v0 is still there: %v", err)
	}
	inside, err := m.targetConn.byName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	if !inside.up || inside.index != m.Devices[0].NewIndex {
		t.Errorf("inside: %+v", inside)
	}
	if got := ips(t, m.targetConn, inside.index); !equal(got, [][]byte{v4, v6}) {
		t.Errorf("addresses inside: %v", got)
	}
	if err := m.Undo(); err != nil {
		t.Fatal(err)
	}
	after, err := c.byName("v0")
	if err != nil {
		t.Fatal(err)
	}
	if after.index != before.index || !after.up {
		t.Errorf("after: %+v, before %+v, and up", after, before)
	}
	if got := ips(t, c, after.index); !equal(got, [][]byte{v4, v6}) {
		t.Errorf("addresses after: %v", got)
	}
	peer, err := c.byName("v1")
	if err != nil || peer.up {
		t.Errorf("v1 after: %+v, %v; it was down", peer, err)
	}
}

// If the kernel moves a device and then fails at its name, the device is moved back all
// the same, here by Recover in place of a killed runtime.
func TestRecover(t *testing.T) {
	target := namespaces(t)
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	veth(t, c, 0, "v0", "v1")
	l, err := c.byName("v1")
	if err != nil {
		t.Fatal(err)
	}
	addAddress(t, c, l.index, []byte{10, 1, 2, 3}, 24)
	m, err := Prepare(map[string]specs.LinuxNetDevice{"v1": {Name: "inside"}}, target)
	if err != nil {
		t.Fatal(err)
	}
	veth(t, m.targetConn, 90, "inside", "other")
	if err := m.Do(); !errors.Is(err, unix.EEXIST) {
		t.Fatalf("error %v", err)
	}
	if _, err := m.targetConn.byIndex(m.Devices[0].NewIndex); err != nil {
		t.Fatalf("the kernel did not move it: %v", err)
	}
	m.Close()
	if err := Recover(m.Devices, target); err != nil {
		t.Fatal(err)
	}
	after, err := c.byName("v1")
	if err != nil || after.index != l.index {
		t.Fatalf("%+v, %v; it had index %d", after, err, l.index)
	}
	if got := ips(t, c, after.index); len(got) != 1 {
		t.Errorf("addresses %v", got)
	}
	if err := Recover(m.Devices, target); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := Recover(m.Devices, "/nosuch/namespace"); err != nil {
		t.Errorf("without the namespace: %v", err)
	}
}

func TestMatches(t *testing.T) {
	for _, s := range []struct {
		name, template string
		want           bool
	}{
		{"eth0", "eth%d", true}, {"eth", "eth%d", false}, {"ethx", "eth%d", false}, {"a12b", "a%db", true},
		{"a12", "a%db", false}, {"eth0", "eth0", true}, {"eth1", "eth0", false},
	} {
		if got := matches(s.name, s.template); got != s.want {
			t.Errorf("%s of %s: %v", s.name, s.template, got)
		}
	}
}

// Whatever the kernel sends, nothing is read beyond its end.
func FuzzAnswer(f *testing.F) {
	m := newMessage(unix.NLMSG_ERROR, ackText, make([]byte, 20))
	m.text(ackTextMsg, "why")
	f.Add([]byte(m))
	f.Fuzz(func(_ *testing.T, b []byte) {
		c := &conn{}
		_, _ = c.answer(b, func(body []byte) {
			readLink(body)
			if len(body) >= unix.SizeofIfAddrmsg && permanent(body) {
				address(body).request(1, "a", "b")
			}
			if len(body) >= unix.SizeofRtMsg && isConfigured(body, 1) {
				route(body).request(1)
			}
		})
	})
}

func TestLacking(t *testing.T) {
	there := []link{{name: "lo"}, {name: "eth0"}, {name: "v1"}}
	for _, c := range []struct {
		name, newName string
		missing       bool
	}{
		{"v0", "eth0", false},
		{"v1", "", false},
		{"v0", "", true},
		{"v1", "eth1", true},
		{"v0", "eth%d", false},
		{"v0", "wlan%d", true},
	} {
		left := lacking(map[string]specs.LinuxNetDevice{c.name: {Name: c.newName}}, there)
		if missing := len(left) == 1; missing != c.missing {
			t.Errorf("device %s, there %q: missing %v, want %v", c.name, c.newName, missing, c.missing)
		}
	}
}
