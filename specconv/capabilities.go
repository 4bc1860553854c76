// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// capabilities compiles the five sets. An unknown name is left out with a warning
// (config.md, "Linux Process": runtimes SHOULD NOT fail).
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
	c.ungrantable(p.Effective, caps.Permitted, field+".effective", "the permitted set")
	c.ungrantable(p.Ambient, caps.Permitted&caps.Inheritable, field+".ambient", "both the permitted and the inheritable set")
	return caps
}

// ungrantable warns of capabilities that are not in within, the mask of those that the
// kernel can grant in this set (capabilities(7)). The runtime leaves them out.
func (c *compiler) ungrantable(names []string, within uint64, field, where string) {
	for i, name := range names {
		if n := plan.CapabilityNumber(name); n >= 0 && within>>n&1 == 0 {
			c.warn(at(field, i), "ignoring %s, which must also be in %s", name, where)
		}
	}
}

func (c *compiler) capabilitySet(names []string, field string) (mask uint64) {
	for i, name := range names {
		n := plan.CapabilityNumber(name)
		if n < 0 {
			c.warn(at(field, i), "ignoring unknown capability %q", name)
			continue
		}
		mask |= 1 << n
	}
	return mask
}
