// SPDX-License-Identifier: Apache-2.0

package netdev

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func u32(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

// kernelMessage makes the body of a netlink message of the kernel: a fixed part, and
// attributes.
func kernelMessage(fixed []byte, attributes ...any) []byte {
	m := message(fixed)
	for i := 0; i < len(attributes); i += 2 {
		m.attr(uint16(attributes[i].(int)), attributes[i+1].([]byte))
	}
	return m
}

// fixedPart and attributes return the parts of a request.
func fixedPart(m message, size int) []byte { return m[unix.SizeofNlMsghdr:][:size] }

func attributes(m message, size int) map[uint16][]byte { return attrs(m[unix.SizeofNlMsghdr+size:]) }

func TestMessage(t *testing.T) {
	m := newMessage(unix.RTM_GETLINK, unix.NLM_F_DUMP, []byte{1, 2, 3, 4})
	m.text(3, "eth0")
	m.number(5, 6)
	want := slices.Concat(
		make([]byte, 4), []byte{unix.RTM_GETLINK, 0, 1, 3}, make([]byte, 8), []byte{1, 2, 3, 4},
		[]byte{9, 0, 3, 0, 'e', 't', 'h', '0', 0, 0, 0, 0}, []byte{8, 0, 5, 0}, u32(6),
	)
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 && !bytes.Equal(m, want) { // want is little-endian
		t.Errorf("%v, expected %v", m, want)
	}
	if got := attrs(m[unix.SizeofNlMsghdr+4:]); len(got) != 2 || cstring(got[3]) != "eth0" || !bytes.Equal(got[5], u32(6)) {
		t.Errorf("attributes %v", got)
	}
}

func TestAttrs(t *testing.T) {
	nested := 0x8000
	whole := kernelMessage(nil, 1, []byte("a"), nested|2, []byte("bc"), 1, []byte("z"))
	want := map[uint16][]byte{1: []byte("z"), 2: []byte("bc")}
	same := func(a, b map[uint16][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }
	if got := attrs(whole); !same(got, want) {
		t.Errorf("%v, expected %v", got, want)
	}
	if got := attrs(whole[:len(whole)-3]); !same(got, want) {
		t.Errorf("without the last padding: %v", got)
	}
	want[1] = []byte("a")
	if got := attrs(whole[:len(whole)-4]); !same(got, want) {
		t.Errorf("the last is cut: %v, expected %v", got, want)
	}
	if got := attrs([]byte{3, 0, 1, 0, 9, 9, 9, 9}); len(got) != 0 {
		t.Errorf("shorter than its head: %v", got)
	}
}

func TestFailure(t *testing.T) {
	header := func(length uint32) []byte { return append(u32(length), make([]byte, 12)...) }
	exist := u32(uint32(0x100000000 - int64(unix.EEXIST)))
	text := kernelMessage(nil, 1, []byte("why\x00"))
	body := []byte("12345") // of the request, padded to 8 bytes
	for name, tt := range map[string]struct {
		body  []byte
		flags uint16
		want  string
	}{
		"success":             {slices.Concat(u32(0), header(16)), 0, ""},
		"success, with text":  {slices.Concat(u32(0), header(16), text), 0x300, ""},
		"no text":             {slices.Concat(exist, header(16)), 0, "file exists"},
		"text":                {slices.Concat(exist, header(16), text), 0x300, "file exists (why)"},
		"text, whole request": {slices.Concat(exist, header(21), body, make([]byte, 3), text), 0x200, "file exists (why)"},
		"text not announced":  {slices.Concat(exist, header(16), text), 0x100, "file exists"},
		"request cut":         {slices.Concat(exist, header(1<<31), text), 0x200, "file exists"},
		"cut":                 {slices.Concat(exist, header(16))[:19], 0, "rtnetlink: malformed acknowledgement"},
	} {
		got := ""
		if err := failure(tt.body, tt.flags); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %q, expected %q", name, got, tt.want)
		}
	}
	if err := failure(slices.Concat(exist, header(16), text), 0x300); !errors.Is(err, unix.EEXIST) {
		t.Errorf("its errno is lost: %v", err)
	}
}

// A datagram may have several messages, perhaps of an earlier answer that nothing waits
// for.
func TestAnswer(t *testing.T) {
	packet := func(kind uint16, seq uint32, body string) []byte {
		b := slices.Concat(u32(uint32(16+len(body))), make([]byte, 12), []byte(body))
		binary.NativeEndian.PutUint16(b[4:], kind)
		binary.NativeEndian.PutUint32(b[8:], seq)
		return append(b, make([]byte, align(len(b))-len(b))...)
	}
	link := func(seq uint32, body string) []byte { return packet(unix.RTM_NEWLINK, seq, body) }
	ack := string(make([]byte, 20))
	denied := string(u32(uint32(0x100000000-int64(unix.EPERM)))) + ack[4:]
	for name, tt := range map[string]struct {
		b    []byte
		got  []string
		done bool
		err  string
	}{
		"nothing":            {nil, nil, false, ""},
		"one of more":        {link(7, "abcde"), []string{"abcde"}, false, ""},
		"two and the end":    {slices.Concat(link(7, "abcde"), link(7, "f"), packet(unix.NLMSG_DONE, 7, "xxxx")), []string{"abcde", "f"}, true, ""},
		"an acknowledgement": {packet(unix.NLMSG_ERROR, 7, ack), nil, true, ""},
		"a refusal":          {slices.Concat(link(7, "a"), packet(unix.NLMSG_ERROR, 7, denied), link(7, "b")), []string{"a"}, true, "operation not permitted"},
		"of another request": {slices.Concat(packet(unix.NLMSG_ERROR, 6, denied), link(6, "a"), link(7, "b")), []string{"b"}, false, ""},
		"length too small":   {slices.Concat(u32(15), make([]byte, 12)), nil, true, "rtnetlink: malformed message"},
		"length too large":   {slices.Concat(link(7, "a"), u32(17), make([]byte, 12)), []string{"a"}, true, "rtnetlink: malformed message"},
	} {
		var got []string
		done, err := (&conn{seq: 7}).answer(tt.b, func(body []byte) { got = append(got, string(body)) })
		if text := fmt.Sprint(err); done != tt.done || !slices.Equal(got, tt.got) || err == nil && tt.err != "" || err != nil && text != tt.err {
			t.Errorf("%s: %q, %v, %v, expected %q, %v, %s", name, got, done, err, tt.got, tt.done, tt.err)
		}
	}
	if done, err := (&conn{}).answer(packet(unix.RTM_NEWLINK, 0, "a"), nil); done || err != nil {
		t.Errorf("nobody hears: %v, %v", done, err)
	}
}

func TestReadLink(t *testing.T) {
	up, down := infomsg(3, unix.IFF_UP|unix.IFF_BROADCAST, 0), infomsg(4, unix.IFF_BROADCAST, 0)
	for _, tt := range []struct {
		body []byte
		want link
	}{
		{kernelMessage(up, unix.IFLA_IFNAME, []byte("eth0\x00")), link{index: 3, name: "eth0", up: true}},
		{kernelMessage(down, unix.IFLA_IFNAME, []byte("v1\x00"), unix.IFLA_MASTER, u32(9)), link{index: 4, name: "v1", master: 9}},
		{kernelMessage(down, unix.IFLA_MASTER, []byte{9}), link{index: 4}},
		{down[:15], link{}},
	} {
		if got := readLink(tt.body); got != tt.want {
			t.Errorf("%+v, expected %+v", got, tt.want)
		}
	}
}

// ifaddr returns a struct ifaddrmsg.
func ifaddr(flags, scope byte, index uint32) []byte {
	return append([]byte{unix.AF_INET, 24, flags, scope}, u32(index)...)
}

func TestPermanent(t *testing.T) {
	const yes, no = unix.IFA_F_PERMANENT, unix.IFA_F_NODAD
	for name, tt := range map[string]struct {
		body []byte
		want bool
	}{
		"permanent":                   {ifaddr(yes, unix.RT_SCOPE_UNIVERSE, 1), true},
		"for a time":                  {ifaddr(no, unix.RT_SCOPE_UNIVERSE, 1), false},
		"of the link":                 {ifaddr(yes, unix.RT_SCOPE_LINK, 1), false},
		"of the host":                 {ifaddr(yes, unix.RT_SCOPE_HOST, 1), false},
		"permanent by its attribute":  {kernelMessage(ifaddr(0, unix.RT_SCOPE_UNIVERSE, 1), unix.IFA_FLAGS, u32(yes)), true},
		"for a time by its attribute": {kernelMessage(ifaddr(yes, unix.RT_SCOPE_UNIVERSE, 1), unix.IFA_FLAGS, u32(no)), false},
	} {
		if got := permanent(tt.body); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A request adds an address again as it was, on another device.
func TestAddressRequest(t *testing.T) {
	const kernelFlags = unix.IFA_F_PERMANENT | unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_TENTATIVE | unix.IFA_F_DEPRECATED
	ip, wide := []byte{10, 1, 2, 3}, []byte{10, 1, 2, 255}
	a := address(kernelMessage(ifaddr(unix.IFA_F_PERMANENT, unix.RT_SCOPE_UNIVERSE, 3),
		unix.IFA_ADDRESS, ip, unix.IFA_LOCAL, ip, unix.IFA_BROADCAST, wide, unix.IFA_LABEL, []byte("eth0:1\x00"),
		unix.IFA_FLAGS, u32(kernelFlags), unix.IFA_RT_PRIORITY, u32(7), unix.IFA_ANYCAST, []byte{1}))
	m := a.request(9, "eth0", "net1")
	if kind, flags := binary.NativeEndian.Uint16(m[4:]), binary.NativeEndian.Uint16(m[6:]); kind != unix.RTM_NEWADDR || flags != unix.NLM_F_REQUEST|unix.NLM_F_CREATE|unix.NLM_F_REPLACE {
		t.Errorf("request %d, flags %#x", kind, flags)
	}
	if got, want := fixedPart(m, unix.SizeofIfAddrmsg), ifaddr(0, unix.RT_SCOPE_UNIVERSE, 9); !bytes.Equal(got, want) {
		t.Errorf("%v, expected %v", got, want)
	}
	want := map[uint16][]byte{
		unix.IFA_ADDRESS: ip, unix.IFA_LOCAL: ip, unix.IFA_BROADCAST: wide, unix.IFA_LABEL: []byte("net1:1\x00"),
		unix.IFA_FLAGS: u32(unix.IFA_F_PERMANENT | unix.IFA_F_NOPREFIXROUTE), unix.IFA_RT_PRIORITY: u32(7),
	}
	if got := attributes(m, unix.SizeofIfAddrmsg); !maps.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("%v, expected %v", got, want)
	}
	if binary.NativeEndian.Uint32(a[4:]) != 3 {
		t.Error("what the kernel told is changed")
	}
	bare := address(ifaddr(unix.IFA_F_PERMANENT, unix.RT_SCOPE_UNIVERSE, 3)).request(9, "eth0", "net1")
	if got := attributes(bare, unix.SizeofIfAddrmsg); len(got) != 1 || !bytes.Equal(got[unix.IFA_FLAGS], u32(unix.IFA_F_PERMANENT)) {
		t.Errorf("without attributes: %v", got)
	}
}

func TestRelabel(t *testing.T) {
	for _, tt := range []struct {
		label, from, to, want string
		ok                    bool
	}{
		{"eth0", "eth0", "net1", "net1", true},
		{"eth0:1", "eth0", "net1", "net1:1", true},
		{"eth01", "eth0", "net1", "", false}, // the label of another device
		{"web", "eth0", "net1", "", false},
		{"", "eth0", "net1", "", false},
		{"eth0:1", "eth0", "thirteen_long", "thirteen_long:1", true},
		{"eth0:1", "eth0", "fourteen__long", "", false}, // more than the kernel takes
	} {
		got, ok := relabel(tt.label, tt.from, tt.to)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s of %s on %s: %q, %v, expected %q, %v", tt.label, tt.from, tt.to, got, ok, tt.want, tt.ok)
		}
	}
}

// rtmsg returns a struct rtmsg.
func rtmsg(protocol, kind byte, flags uint32) []byte {
	return append([]byte{unix.AF_INET, 16, 0, 0, unix.RT_TABLE_MAIN, protocol, unix.RT_SCOPE_UNIVERSE, kind}, u32(flags)...)
}

func TestIsConfigured(t *testing.T) {
	static := rtmsg(unix.RTPROT_STATIC, unix.RTN_UNICAST, 0)
	for name, tt := range map[string]struct {
		body []byte
		want bool
	}{
		"static":             {kernelMessage(static, unix.RTA_OIF, u32(3)), true},
		"DHCP":               {kernelMessage(rtmsg(unix.RTPROT_DHCP, unix.RTN_UNICAST, 0), unix.RTA_OIF, u32(3)), true},
		"of the kernel":      {kernelMessage(rtmsg(unix.RTPROT_KERNEL, unix.RTN_UNICAST, 0), unix.RTA_OIF, u32(3)), false},
		"of a router":        {kernelMessage(rtmsg(unix.RTPROT_RA, unix.RTN_UNICAST, 0), unix.RTA_OIF, u32(3)), false},
		"local":              {kernelMessage(rtmsg(unix.RTPROT_STATIC, unix.RTN_LOCAL, 0), unix.RTA_OIF, u32(3)), false},
		"of a cache":         {kernelMessage(rtmsg(unix.RTPROT_STATIC, unix.RTN_UNICAST, unix.RTM_F_CLONED), unix.RTA_OIF, u32(3)), false},
		"of another device":  {kernelMessage(static, unix.RTA_OIF, u32(4)), false},
		"of no device":       {static, false},
		"by a nexthop's id":  {kernelMessage(static, unix.RTA_OIF, u32(3), nexthopID, u32(1)), false},
		"with a broken link": {kernelMessage(static, unix.RTA_OIF, []byte{3}), false},
	} {
		if got := isConfigured(tt.body, 3); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestRouteRequest(t *testing.T) {
	const linkdown = unix.RTNH_F_LINKDOWN | unix.RTNH_F_DEAD
	dst, gateway := []byte{10, 9, 0, 0}, []byte{10, 1, 2, 9}
	r := route(kernelMessage(rtmsg(unix.RTPROT_STATIC, unix.RTN_UNICAST, unix.RTNH_F_ONLINK|linkdown),
		unix.RTA_DST, dst, unix.RTA_GATEWAY, gateway, unix.RTA_OIF, u32(3), unix.RTA_TABLE, u32(100), unix.RTA_PRIORITY, u32(5), unix.RTA_CACHEINFO, u32(1)))
	m := r.request(9)
	if kind, flags := binary.NativeEndian.Uint16(m[4:]), binary.NativeEndian.Uint16(m[6:]); kind != unix.RTM_NEWROUTE || flags != unix.NLM_F_REQUEST|unix.NLM_F_CREATE|unix.NLM_F_EXCL {
		t.Errorf("request %d, flags %#x", kind, flags)
	}
	if got, want := fixedPart(m, unix.SizeofRtMsg), rtmsg(unix.RTPROT_STATIC, unix.RTN_UNICAST, unix.RTNH_F_ONLINK); !bytes.Equal(got, want) {
		t.Errorf("%v, expected %v", got, want)
	}
	want := map[uint16][]byte{
		unix.RTA_DST: dst, unix.RTA_GATEWAY: gateway, unix.RTA_OIF: u32(9), unix.RTA_TABLE: u32(100), unix.RTA_PRIORITY: u32(5),
	}
	if got := attributes(m, unix.SizeofRtMsg); !maps.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("%v, expected %v", got, want)
	}
	if !bytes.Equal(attrs(r[unix.SizeofRtMsg:])[unix.RTA_OIF], u32(3)) {
		t.Error("what the kernel told is changed")
	}
}

// A device keeps its index if that is free in the other namespace, and otherwise gets a
// free one.
func TestPlace(t *testing.T) {
	there := []link{{index: 1, name: "lo"}, {index: 4, name: "eth0"}}
	for name, tt := range map[string]struct {
		d     Device
		index uint32
		err   string
	}{
		"free":                  {Device{Index: 3, NewName: "eth1"}, 3, ""},
		"taken, below":          {Device{Index: 1, NewName: "eth1"}, 5, ""},
		"taken, the highest":    {Device{Index: 4, NewName: "eth1"}, 5, ""},
		"above all":             {Device{Index: 9, NewName: "eth1"}, 9, ""},
		"a name of a template":  {Device{Index: 4, NewName: "eth%d"}, 5, ""},
		"a name that is there":  {Device{Index: 9, NewName: "eth0"}, 0, "the container's network namespace already has a device named eth0: file exists"},
		"the loopback device's": {Device{Index: 9, NewName: "lo"}, 0, "the container's network namespace already has a device named lo: file exists"},
	} {
		taken := slices.Clone(there)
		err := tt.d.place(&taken)
		if err != nil {
			if err.Error() != tt.err {
				t.Errorf("%s: %v, expected %s", name, err, tt.err)
			}
			continue
		}
		if tt.err != "" || tt.d.NewIndex != tt.index {
			t.Errorf("%s: index %d, expected %d, %s", name, tt.d.NewIndex, tt.index, tt.err)
		}
		if len(taken) != 3 || taken[2].index != tt.index {
			t.Errorf("%s: the next device does not see it: %+v", name, taken)
		}
	}
	taken := slices.Clone(there)
	first, template := Device{Index: 4, NewName: "a"}, Device{Index: 5, NewName: "eth%d"}
	if err := errors.Join(first.place(&taken), template.place(&taken)); err != nil || first.NewIndex != 5 || template.NewIndex != 6 {
		t.Errorf("two: %d, %d, %v", first.NewIndex, template.NewIndex, err)
	}
	again := Device{Index: 8, NewName: "eth%d"} // the kernel chooses a name for each
	if err := again.place(&taken); err != nil || again.NewIndex != 8 {
		t.Errorf("two of one template: %d, %v", again.NewIndex, err)
	}
	if same := (Device{Index: 20, NewName: "a"}); same.place(&taken) == nil {
		t.Error("two devices get one name")
	}
}
