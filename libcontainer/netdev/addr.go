// SPDX-License-Identifier: Apache-2.0

package netdev

import (
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"
)

// address is an address of a device as the kernel reports it: a struct ifaddrmsg and
// attributes. A request to add the address again is made from it.
type address []byte

// ifaProto is IFA_PROTO of linux/if_addr.h: what has added the address (Linux 5.18).
const ifaProto = 11

// keptFlags are the flags that say how an address is to be used, without those that are
// its current state.
const keptFlags = unix.IFA_F_NODAD | unix.IFA_F_HOMEADDRESS | unix.IFA_F_PERMANENT | unix.IFA_F_MANAGETEMPADDR |
	unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN

// addresses returns the permanent addresses with global scope of a device, of any
// family. The kernel drops them when the device is moved (config-linux.md, "Network
// Devices").
func (c *conn) addresses(index uint32) (all []address, err error) {
	m := newMessage(unix.RTM_GETADDR, unix.NLM_F_DUMP, make([]byte, unix.SizeofIfAddrmsg))
	err = c.do(m, func(body []byte) {
		if len(body) >= unix.SizeofIfAddrmsg && binary.NativeEndian.Uint32(body[4:]) == index && permanent(body) {
			all = append(all, append(address(nil), body...))
		}
	})
	return all, err
}

func permanent(body []byte) bool {
	flags := uint32(body[2])
	if b := attrs(body[unix.SizeofIfAddrmsg:])[unix.IFA_FLAGS]; len(b) == 4 {
		flags = binary.NativeEndian.Uint32(b)
	}
	return flags&unix.IFA_F_PERMANENT != 0 && body[3] == unix.RT_SCOPE_UNIVERSE
}

// request returns the message that adds the address to the device with that index. The
// label of an IPv4 address ("eth0:1") is changed with the device's name.
func (a address) request(index uint32, from, to string) message {
	fixed := append([]byte(nil), a[:unix.SizeofIfAddrmsg]...)
	fixed[2] = 0 // IFA_FLAGS has all flags
	binary.NativeEndian.PutUint32(fixed[4:], index)
	m := newMessage(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, fixed)
	has := attrs(a[unix.SizeofIfAddrmsg:])
	flags := uint32(unix.IFA_F_PERMANENT)
	if b := has[unix.IFA_FLAGS]; len(b) == 4 {
		flags = binary.NativeEndian.Uint32(b) & keptFlags
	}
	m.number(unix.IFA_FLAGS, flags)
	for _, kind := range [...]uint16{unix.IFA_ADDRESS, unix.IFA_LOCAL, unix.IFA_BROADCAST, unix.IFA_CACHEINFO, unix.IFA_RT_PRIORITY, ifaProto} {
		if value, ok := has[kind]; ok {
			m.attr(kind, value)
		}
	}
	if label, ok := relabel(cstring(has[unix.IFA_LABEL]), from, to); ok {
		m.text(unix.IFA_LABEL, label)
	}
	return m
}

func relabel(label, from, to string) (string, bool) {
	rest, ok := strings.CutPrefix(label, from)
	label = to + rest
	return label, ok && (rest == "" || rest[0] == ':') && len(label) < unix.IFNAMSIZ
}
