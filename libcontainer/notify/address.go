package notify

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// address is what NOTIFY_SOCKET names.
type address struct {
	path  string // of an AF_UNIX socket; an abstract one begins with @
	cid   uint32 // of an AF_VSOCK socket, if path is empty
	port  uint32
	types []int // of sockets, to be tried one after the other
}

// vsockTypes are the forms of an AF_VSOCK address. Few transports have
// datagrams, so the form that names no type takes what there is (sd_notify(3)).
var vsockTypes = map[string][]int{
	"vsock":           {unix.SOCK_DGRAM, unix.SOCK_SEQPACKET, unix.SOCK_STREAM},
	"vsock-dgram":     {unix.SOCK_DGRAM},
	"vsock-seqpacket": {unix.SOCK_SEQPACKET},
	"vsock-stream":    {unix.SOCK_STREAM},
}

var cidNames = map[string]uint32{
	"hypervisor": unix.VMADDR_CID_HYPERVISOR, "local": unix.VMADDR_CID_LOCAL, "host": unix.VMADDR_CID_HOST,
}

func parseAddress(s string) (address, error) {
	if len(s) >= 2 && (s[0] == '/' || s[0] == '@') {
		return address{path: s, types: []int{unix.SOCK_DGRAM}}, nil
	}
	form, rest, _ := strings.Cut(s, ":")
	types, ok := vsockTypes[form]
	if !ok {
		return address{}, errors.New("an absolute path, a name after @, or vsock:CID:PORT is expected")
	}
	cid, port, err := vsockAddress(rest)
	return address{cid: cid, port: port, types: types}, err
}

func vsockAddress(s string) (cid, port uint32, err error) {
	name, number, _ := strings.Cut(s, ":")
	cid, ok := cidNames[name]
	if !ok {
		if cid, err = unsigned(name); err != nil {
			return 0, 0, fmt.Errorf("CID %q: a number, hypervisor, local or host is expected", name)
		}
	}
	if port, err = unsigned(number); err != nil {
		return 0, 0, fmt.Errorf("port %q: a number is expected", number)
	}
	return cid, port, nil
}

func unsigned(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}
