// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
)

func (c *compiler) sysctl() {
	keys := make([]string, 0, len(c.linux.Sysctl))
	for k := range c.linux.Sysctl {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	seen := make(map[string]string) // path to key
	for _, key := range keys {
		field := fmt.Sprintf("linux.sysctl[%q]", key)
		path := sysctlPath(key)
		if path == "" || filepath.Clean("/"+path) != "/"+path {
			c.fault(field, "is not a valid name of a kernel parameter")
			continue
		}
		if why := cmp.Or(c.sysctlRefused(path), c.domainRefused(path, c.linux.Sysctl[key])); why != "" {
			c.fault(field, "%s", why)
			continue
		}
		if other, ok := seen[path]; ok {
			c.fault(field, "is the same parameter as linux.sysctl[%q]", other)
			continue
		}
		seen[path] = key
		c.out.Sysctl = append(c.out.Sysctl, plan.Sysctl{Field: field, Path: path, Value: c.linux.Sysctl[key]})
	}
}

// sysctlPath converts a key to a path below /proc/sys, as sysctl(8) does: of "." and "/",
// the one that comes first separates names, and the other one is part of a name
// ("net/ipv4/conf/eth0.100/forwarding").
func sysctlPath(key string) string {
	i := strings.IndexAny(key, "./")
	if i < 0 || key[i] == '/' {
		return key
	}
	swap := func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}
	return strings.Map(swap, key)
}

// sysctlRefused returns why a parameter must not be set, such as that it would change the
// host. It is empty if it may be set.
func (c *compiler) sysctlRefused(path string) string {
	var need specs.LinuxNamespaceType
	switch {
	case path == "kernel/hostname":
		return "must not be set: use the field hostname instead"
	case path == "kernel/domainname":
		need = specs.UTSNamespace
	case ipcParameter(path), strings.HasPrefix(path, "fs/mqueue/"):
		need = specs.IPCNamespace
	case strings.HasPrefix(path, "net/"):
		need = specs.NetworkNamespace
	case strings.HasPrefix(path, "user/"):
		need = specs.UserNamespace
	default:
		return "is not in a separate kernel namespace: it would change the host"
	}
	if !c.has(need) {
		return fmt.Sprintf("requires a %s namespace in linux.namespaces", need)
	}
	return ""
}

// domainRefused returns why kernel/domainname must not be set: it contradicts domainname.
// It is empty if the parameter may be set.
func (c *compiler) domainRefused(path, value string) string {
	name := c.spec.Domainname
	if path != "kernel/domainname" || name == "" || name == value {
		return ""
	}
	return fmt.Sprintf("%q conflicts with domainname, which is %q (remove one of them)", value, name)
}

// ipcParameter reports whether a parameter in kernel/ belongs to an ipc namespace
// (ipc_namespaces(7)).
func ipcParameter(path string) bool {
	switch path {
	case "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shmall", "kernel/shmmax",
		"kernel/shmmni", "kernel/shm_rmid_forced", "kernel/shm_next_id",
		"kernel/auto_msgmni", "kernel/msg_next_id", "kernel/sem_next_id":
		return true
	}
	return false
}
