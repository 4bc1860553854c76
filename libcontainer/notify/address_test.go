// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseAddress(t *testing.T) {
	any := []int{unix.SOCK_DGRAM, unix.SOCK_SEQPACKET, unix.SOCK_STREAM}
	for socket, want := range map[string]*address{
		"/run/x":                 {path: "/run/x", types: any[:1]},
		"@x":                     {path: "@x", types: any[:1]},
		"vsock:2:1234":           {cid: 2, port: 1234, types: any},
		"vsock-dgram:2:1":        {cid: 2, port: 1, types: any[:1]},
		"vsock-seqpacket:7:1":    {cid: 7, port: 1, types: any[1:2]},
		"vsock-stream:host:1":    {cid: 2, port: 1, types: any[2:]},
		"vsock:local:4294967295": {cid: 1, port: 4294967295, types: any},
		"vsock:hypervisor:0":     {cid: 0, types: any},
		"":                       nil,
		"/":                      nil,
		"@":                      nil,
		"run/x":                  nil,
		"vsock":                  nil,
		"vsock:2":                nil,
		"vsock:2:":               nil,
		"vsock::1":               nil,
		"vsock:-1:1":             nil,
		"vsock:4294967296:1":     nil,
		"vsock:2:1:3":            nil,
		"tcp:2:1":                nil,
	} {
		got, err := parseAddress(socket)
		if want == nil {
			if err == nil {
				t.Errorf("%q: %+v", socket, got)
			}
		} else if err != nil || fmt.Sprint(got) != fmt.Sprint(*want) {
			t.Errorf("%q: %+v, %v; expected %+v", socket, got, err, *want)
		}
	}
}
