package specconv

import "strings"

const systemdProperty = "org.systemd.property."

// cgroup passes the cgroup's path and limits on: which limits there are
// depends on the host's version of cgroups, so package cgroup checks them.
func (c *compiler) cgroup() {
	g := &c.out.Cgroup
	g.Path, g.Resources, g.Systemd = c.linux.CgroupsPath, c.linux.Resources, c.SystemdCgroup
	if !c.SystemdCgroup {
		return
	}
	for k, v := range c.spec.Annotations {
		if name, ok := strings.CutPrefix(k, systemdProperty); ok {
			if g.SystemdProps == nil {
				g.SystemdProps = make(map[string]string)
			}
			g.SystemdProps[name] = v
		}
	}
}
