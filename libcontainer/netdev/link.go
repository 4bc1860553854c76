// SPDX-License-Identifier: Apache-2.0

package netdev

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// link is a network device in one namespace.
type link struct {
	index  uint32
	master uint32 // index of the bridge or bond that it is a port of; 0 for none
	name   string
	up     bool
}

// infomsg returns a struct ifinfomsg that names a device by index. change is the mask
// of the flags to set as in flags.
func infomsg(index, flags, change uint32) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b[4:], index)
	binary.NativeEndian.PutUint32(b[8:], flags)
	binary.NativeEndian.PutUint32(b[12:], change)
	return b
}

func readLink(body []byte) (l link) {
	if len(body) < unix.SizeofIfInfomsg {
		return l
	}
	l.index = binary.NativeEndian.Uint32(body[4:])
	l.up = binary.NativeEndian.Uint32(body[8:])&unix.IFF_UP != 0
	has := attrs(body[unix.SizeofIfInfomsg:])
	l.name = cstring(has[unix.IFLA_IFNAME])
	if b := has[unix.IFLA_MASTER]; len(b) == 4 {
		l.master = binary.NativeEndian.Uint32(b)
	}
	return l
}

// byName returns the device with a name. The error is ENODEV if there is none.
func (c *conn) byName(name string) (l link, err error) {
	m := newMessage(unix.RTM_GETLINK, 0, infomsg(0, 0, 0))
	m.text(unix.IFLA_IFNAME, name)
	err = c.do(m, func(body []byte) { l = readLink(body) })
	return l, err
}

// byIndex returns the device with an index. The error is ENODEV if there is none.
func (c *conn) byIndex(index uint32) (l link, err error) {
	err = c.do(newMessage(unix.RTM_GETLINK, 0, infomsg(index, 0, 0)), func(body []byte) { l = readLink(body) })
	return l, err
}

// links returns all devices of the namespace.
func (c *conn) links() (all []link, err error) {
	m := newMessage(unix.RTM_GETLINK, unix.NLM_F_DUMP, infomsg(0, 0, 0))
	err = c.do(m, func(body []byte) { all = append(all, readLink(body)) })
	return all, err
}

// up sets a device up.
func (c *conn) up(index uint32) error {
	return c.do(newMessage(unix.RTM_SETLINK, 0, infomsg(index, unix.IFF_UP, unix.IFF_UP)), nil)
}

// enslave makes a device a port of a bridge or bond.
func (c *conn) enslave(index, master uint32) error {
	m := newMessage(unix.RTM_SETLINK, 0, infomsg(index, 0, 0))
	m.number(unix.IFLA_MASTER, master)
	return c.do(m, nil)
}

// move moves a device into the namespace ns (a descriptor), renames it, gives it an
// index and sets it down, in one request. If newIndex is 0, the kernel chooses the
// index. After an error the device may have been moved: the kernel can fail at the name
// afterwards.
func (c *conn) move(index uint32, ns int, name string, newIndex uint32) error {
	m := newMessage(unix.RTM_SETLINK, 0, infomsg(index, 0, unix.IFF_UP))
	m.number(unix.IFLA_NET_NS_FD, uint32(ns))
	if newIndex != 0 { // the kernel refuses IFLA_NEW_IFINDEX with 0
		m.number(unix.IFLA_NEW_IFINDEX, newIndex)
	}
	m.text(unix.IFLA_IFNAME, name)
	return c.do(m, nil)
}
