package specconv

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// capabilityNames are the kernel's, by number (capabilities(7)).
var capabilityNames = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
	"CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
	"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
	"CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// capabilities compiles the five sets. A name that is unknown is warned of and
// left out (config.md, "Linux Process": runtimes SHOULD NOT fail).
func (c *compiler) capabilities(p *specs.LinuxCapabilities, field string) plan.Caps {
	if p == nil {
		return plan.Caps{}
	}
	caps := plan.Caps{
		Given:       true,
		Bounding:    c.capabilitySet(p.Bounding, field+".bounding"),
		Effective:   c.capabilitySet(p.Effective, field+".effective"),
		Inheritable: c.capabilitySet(p.Inheritable, field+".inheritable"),
		Permitted:   c.capabilitySet(p.Permitted, field+".permitted"),
		Ambient:     c.capabilitySet(p.Ambient, field+".ambient"),
	}
	c.ungrantable(p.Effective, caps.Permitted, field+".effective", "permitted")
	c.ungrantable(p.Ambient, caps.Permitted&caps.Inheritable, field+".ambient", "both permitted and inheritable")
	return caps
}

// ungrantable warns of those that the kernel grants in no set because they are
// not in another (capabilities(7)); the runtime leaves them out.
func (c *compiler) ungrantable(names []string, within uint64, field, where string) {
	for i, name := range names {
		if n := capabilityNumber(name); n >= 0 && within>>n&1 == 0 {
			c.warn(at(field, i), "%s cannot be granted, as it is not in %s: it is left out", name, where)
		}
	}
}

func (c *compiler) capabilitySet(names []string, field string) (mask uint64) {
	for i, name := range names {
		n := capabilityNumber(name)
		if n < 0 {
			c.warn(at(field, i), "unknown capability %q is left out", name)
			continue
		}
		mask |= 1 << n
	}
	return mask
}

func capabilityNumber(name string) int {
	for i := range capabilityNames {
		if capabilityNames[i] == name {
			return i
		}
	}
	return -1
}
