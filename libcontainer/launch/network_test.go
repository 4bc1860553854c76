// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/netns"
	"golang.org/x/sys/unix"
)

// The process gets the network namespace that was made ahead. If there is none after all,
// or it has been used up by an attempt before, the child makes one. Either has a lo that
// is up.
func TestNetworkAhead(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skipf("a network namespace without a user namespace requires root: the effective uid is %d", os.Geteuid())
	}
	w := newWorld(t)
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for name, network := range map[string]func() *netns.Namespace{
		"ahead":   netns.Begin,
		"none":    func() *netns.Namespace { return new(netns.Namespace) },
		"used up": func() *netns.Namespace { n := netns.Begin(); n.Close(); return n },
	} {
		r := w.request(func(s *specs.Spec) {
			s.Hostname = ""
			s.Linux.Namespaces = []specs.LinuxNamespace{{Type: "mount"}, {Type: "network"}}
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/dev", Type: "tmpfs", Source: "tmpfs"})
			s.Linux.UIDMappings, s.Linux.GIDMappings = nil, nil
		}, "/bin/sh", "-c", "readlink /proc/self/ns/net; grep -c 'host LOCAL' /proc/self/net/fib_trie")
		r.Network = network()
		run, err := drive(r, nil)
		if errors.Is(err, unix.EPERM) {
			t.Skipf("a network namespace without a user namespace requires root's capabilities: %v", err)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		w.expectStatus(run, nil, 0)
		r.Network.Close()
		if got := w.printed(); !strings.HasPrefix(got, "net:[") || strings.HasPrefix(got, own+"\n") || strings.Contains(got, "\n0\n") {
			t.Errorf("%s: own %s: %q", name, own, got)
		}
	}
}

// A namespace that was made ahead and is of no use to the process is left alone.
func TestNetworkAheadUnused(t *testing.T) {
	w := newWorld(t)
	r := w.request(nil, "/bin/true") // it has a user namespace
	r.Network = netns.Begin()
	run, err := drive(r, nil)
	w.expectStatus(run, err, 0)
	r.Network.Close()
}

// A child that forks makes the namespace itself.
func TestNetworkAheadForks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skipf("a pid namespace without a user namespace requires root: the effective uid is %d", os.Geteuid())
	}
	w := newWorld(t)
	r := w.request(func(s *specs.Spec) {
		s.Hostname = ""
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/dev", Type: "tmpfs", Source: "tmpfs"})
		s.Linux.Namespaces = []specs.LinuxNamespace{{Type: "mount"}, {Type: "network"}, {Type: "pid", Path: "/proc/self/ns/pid"}}
		s.Linux.UIDMappings, s.Linux.GIDMappings = nil, nil
	}, "/bin/true")
	r.Network = netns.Begin()
	run, err := drive(r, nil)
	if errors.Is(err, unix.EPERM) {
		t.Skipf("a network namespace without a user namespace requires root's capabilities: %v", err)
	}
	w.expectStatus(run, err, 0)
	r.Network.Close()
}
