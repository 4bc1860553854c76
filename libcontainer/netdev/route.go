// SPDX-License-Identifier: Apache-2.0

package netdev

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// route is a route through a device as the kernel reports it: a struct rtmsg and
// attributes. The kernel drops it when the device is moved.
type route []byte

// nexthopID is RTA_NH_ID: the route uses a nexthop object, which disappears when the
// device is moved.
const nexthopID = 30

// routes returns the routes through a device that were configured, rather than made by
// the kernel or by a router advertisement.
func (c *conn) routes(index uint32) (all []route, err error) {
	m := newMessage(unix.RTM_GETROUTE, unix.NLM_F_DUMP, make([]byte, unix.SizeofRtMsg))
	err = c.do(m, func(body []byte) {
		if len(body) >= unix.SizeofRtMsg && isConfigured(body, index) {
			all = append(all, append(route(nil), body...))
		}
	})
	return all, err
}

func isConfigured(body []byte, index uint32) bool {
	protocol, kind, flags := body[5], body[7], binary.NativeEndian.Uint32(body[8:])
	has := attrs(body[unix.SizeofRtMsg:])
	oif := has[unix.RTA_OIF]
	return len(oif) == 4 && binary.NativeEndian.Uint32(oif) == index && has[nexthopID] == nil &&
		kind == unix.RTN_UNICAST && flags&unix.RTM_F_CLONED == 0 && protocol != unix.RTPROT_KERNEL && protocol != unix.RTPROT_RA
}

// request returns the message that adds the route again, through the device with that
// index.
func (r route) request(index uint32) message {
	fixed := append([]byte(nil), r[:unix.SizeofRtMsg]...)
	// RTNH_F_ONLINK is part of the configuration; the other flags are the route's
	// state.
	binary.NativeEndian.PutUint32(fixed[8:], binary.NativeEndian.Uint32(fixed[8:])&unix.RTNH_F_ONLINK)
	m := newMessage(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, fixed)
	has := attrs(r[unix.SizeofRtMsg:])
	for _, kind := range [...]uint16{
		unix.RTA_DST, unix.RTA_SRC, unix.RTA_GATEWAY, unix.RTA_VIA, unix.RTA_PREFSRC, unix.RTA_PRIORITY, unix.RTA_TABLE, unix.RTA_METRICS,
		unix.RTA_PREF, unix.RTA_ENCAP_TYPE, unix.RTA_ENCAP,
	} {
		if value, ok := has[kind]; ok {
			m.attr(kind, value)
		}
	}
	m.number(unix.RTA_OIF, index)
	return m
}

// setRoutes adds routes again. One may be needed to reach the gateway of another, so
// those that fail are tried a second time.
func (c *conn) setRoutes(routes []string, index uint32) error {
	var again []string
	for _, r := range routes {
		if c.do(route(r).request(index), nil) != nil {
			again = append(again, r)
		}
	}
	for _, r := range again {
		if err := c.do(route(r).request(index), nil); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("restore a route: %w", err)
		}
	}
	return nil
}
