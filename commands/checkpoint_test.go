// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"net"
	"testing"
)

// hostPort and package net agree on all short texts.
func TestHostPort(t *testing.T) {
	const chars = "[]:a1%"
	var all func(s string, n int)
	all = func(s string, n int) {
		host, port, err := net.SplitHostPort(s)
		gotHost, gotPort, ok := hostPort(s)
		if ok != (err == nil) || ok && (gotHost != host || gotPort != port) {
			t.Errorf("%q: %q, %q, %v; package net: %q, %q, %v", s, gotHost, gotPort, ok, host, port, err)
		}
		for i := 0; n > 0 && i < len(chars); i++ {
			all(s+chars[i:i+1], n-1)
		}
	}
	all("", 6)
}

func TestPageServer(t *testing.T) {
	for s, want := range map[string]string{"127.0.0.1:27": "127.0.0.1", "[::1]:27": "::1", "host:27": "host", ":27": ""} {
		if host, port, err := pageServer(s); err != nil || host != want || port != 27 {
			t.Errorf("%s: %q, %d, %v", s, host, port, err)
		}
	}
	for _, s := range []string{"", "host", "host:", "host:x", "host:0", "host:65536", "::1:27", "[::1:27", "[::1]", "host:-1"} {
		if host, port, err := pageServer(s); err == nil {
			t.Errorf("%s: %q, %d", s, host, port)
		}
	}
}
