package specconv

import "github.com/opencontainers/runtime-spec/specs-go"

// unsupported refuses by name what the specification has and the engine does
// not carry out yet. A field is taken off this list by the change that carries
// it out.
func (c *compiler) unsupported() {
	if c.all {
		return
	}
	l := c.linux
	c.refuse(l.MountLabel != "", "linux.mountLabel", "SELinux is")
	c.refuse(c.SystemdCgroup, "--systemd-cgroup", "cgroups through systemd are")
	if c.spec.Process != nil {
		c.unsupportedProcess(c.spec.Process, "process")
	}
}

func (c *compiler) unsupportedProcess(p *specs.Process, field string) {
	if c.all {
		return
	}
	c.refuse(p.ApparmorProfile != "", under(field, "apparmorProfile"), "AppArmor is")
	c.refuse(p.SelinuxLabel != "", under(field, "selinuxLabel"), "SELinux is")
}

func (c *compiler) refuse(given bool, field, what string) {
	if given {
		c.fault(field, "%s not supported yet", what)
	}
}
