// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// A parameter is only set in a new or joined namespace of the kind that it belongs to. One
// that belongs to none is always refused.
func TestSysctlNamespaces(t *testing.T) {
	const none = specs.LinuxNamespaceType("")
	for _, s := range []struct {
		key  string
		need specs.LinuxNamespaceType // none: always refused
		path string
	}{
		{"net.ipv4.ip_forward", specs.NetworkNamespace, "net/ipv4/ip_forward"},
		{"net/ipv4/conf/eth0.100/forwarding", specs.NetworkNamespace, "net/ipv4/conf/eth0.100/forwarding"},
		{"net.ipv4.conf.eth0/100.forwarding", specs.NetworkNamespace, "net/ipv4/conf/eth0.100/forwarding"},
		{"kernel.shmmax", specs.IPCNamespace, "kernel/shmmax"},
		{"kernel/msg_next_id", specs.IPCNamespace, "kernel/msg_next_id"},
		{"kernel.auto_msgmni", specs.IPCNamespace, "kernel/auto_msgmni"},
		{"fs.mqueue.msg_max", specs.IPCNamespace, "fs/mqueue/msg_max"},
		{"kernel.domainname", specs.UTSNamespace, "kernel/domainname"},
		{"user.max_user_namespaces", specs.UserNamespace, "user/max_user_namespaces"},
		{"kernel.hostname", none, ""},
		{"kernel.shmmax_", none, ""},
		{"kernel.semaphore", none, ""},
		{"kernel.core_pattern", none, ""},
		{"vm.swappiness", none, ""},
		{"fs.file-max", none, ""},
		{"net", none, ""},
		{"", none, ""},
		{"net..core", none, ""},
		{"net/../kernel/panic", none, ""},
		{"/net/core/somaxconn", none, ""},
		{"net.core.", none, ""},
	} {
		with, without := sysctlOnly(s.key, s.need), sysctlOnly(s.key, none)
		if len(without.bad) != 1 {
			t.Errorf("%q without its namespace: %v", s.key, without.bad)
		}
		if s.need == none {
			continue
		}
		if len(with.bad) != 0 || len(with.out.Sysctl) != 1 || with.out.Sysctl[0].Path != s.path {
			t.Errorf("%q with a %s namespace: %v, %v", s.key, s.need, with.bad, with.out.Sysctl)
		}
	}
}

// The domain name also has its own field, which the parameter must not contradict.
func TestSysctlDomain(t *testing.T) {
	for _, s := range []struct{ key, field, value, want string }{
		{"kernel.domainname", "", "a", ""},
		{"kernel.domainname", "a", "a", ""},
		{"kernel.domainname", "a", "b", `linux.sysctl["kernel.domainname"]: "b" conflicts with domainname, which is "a" (remove one of them)`},
		{"kernel/domainname", "a", "", `linux.sysctl["kernel/domainname"]: "" conflicts with domainname, which is "a" (remove one of them)`},
	} {
		c := newCompiler(&specs.Spec{Domainname: s.field, Linux: &specs.Linux{
			Sysctl: map[string]string{s.key: s.value}, Namespaces: []specs.LinuxNamespace{{Type: specs.UTSNamespace}},
		}}, options)
		if c.sysctl(); c.bad.Error() != s.want {
			t.Errorf("%s %q, domainname %q: %q, want %q", s.key, s.value, s.field, c.bad.Error(), s.want)
		}
	}
}

func sysctlOnly(key string, ns specs.LinuxNamespaceType) *compiler {
	spec := &specs.Spec{Linux: &specs.Linux{Sysctl: map[string]string{key: "1"}}}
	if ns != "" {
		spec.Linux.Namespaces = []specs.LinuxNamespace{{Type: ns}}
	}
	c := newCompiler(spec, options)
	c.sysctl()
	return c
}

// It would be random which of two values for one parameter wins.
func TestSysctlTwice(t *testing.T) {
	spec := &specs.Spec{Linux: &specs.Linux{
		Sysctl:     map[string]string{"net.core.somaxconn": "1", "net/core/somaxconn": "2"},
		Namespaces: []specs.LinuxNamespace{{Type: specs.NetworkNamespace}},
	}}
	c := newCompiler(spec, options)
	c.sysctl()
	if want := `linux.sysctl["net/core/somaxconn"]: is the same parameter as linux.sysctl["net.core.somaxconn"]`; text(c.bad) != want {
		t.Errorf("%v, expected %s", c.bad, want)
	}
}
