// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// address is a parsed NOTIFY_SOCKET.
type address struct {
	path  string // of an AF_UNIX socket; begins with @ if it is abstract
	cid   uint32 // of an AF_VSOCK socket, if path is empty
	port  uint32
	types []int // of sockets (SOCK_*), to try in this order
}

// vsockTypes returns the types of sockets of a form of AF_VSOCK address; nil for any
// other form. Few transports have datagrams, so the form that names no type allows all
// of them (sd_notify(3)).
func vsockTypes(form string) []int {
	switch form {
	case "vsock":
		return []int{unix.SOCK_DGRAM, unix.SOCK_SEQPACKET, unix.SOCK_STREAM}
	case "vsock-dgram":
		return []int{unix.SOCK_DGRAM}
	case "vsock-seqpacket":
		return []int{unix.SOCK_SEQPACKET}
	case "vsock-stream":
		return []int{unix.SOCK_STREAM}
	}
	return nil
}

func cidOf(name string) (uint32, error) {
	switch name {
	case "hypervisor":
		return unix.VMADDR_CID_HYPERVISOR, nil
	case "local":
		return unix.VMADDR_CID_LOCAL, nil
	case "host":
		return unix.VMADDR_CID_HOST, nil
	}
	return unsigned(name)
}

func parseAddress(s string) (address, error) {
	if len(s) >= 2 && (s[0] == '/' || s[0] == '@') {
		return address{path: s, types: []int{unix.SOCK_DGRAM}}, nil
	}
	form, rest, _ := strings.Cut(s, ":")
	types := vsockTypes(form)
	if types == nil {
		return address{}, errors.New("must be an absolute path, @ and a name, or vsock:CID:PORT")
	}
	cid, port, err := vsockAddress(rest)
	return address{cid: cid, port: port, types: types}, err
}

func vsockAddress(s string) (cid, port uint32, err error) {
	name, number, _ := strings.Cut(s, ":")
	if cid, err = cidOf(name); err != nil {
		return 0, 0, fmt.Errorf("CID %q: must be a number, hypervisor, local or host", name)
	}
	if port, err = unsigned(number); err != nil {
		return 0, 0, fmt.Errorf("port %q: must be a number", number)
	}
	return cid, port, nil
}

func unsigned(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}
