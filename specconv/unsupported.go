package specconv

// unsupported refuses by name what the specification has and the engine does
// not carry out yet. A field is taken off this list by the change that carries
// it out.
func (c *compiler) unsupported() {
	if c.all {
		return
	}
	c.refuse(c.SystemdCgroup, "--systemd-cgroup", "cgroups through systemd are")
}

func (c *compiler) refuse(given bool, field, what string) {
	if given {
		c.fault(field, "%s not supported yet", what)
	}
}
