// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/rdt"
	"github.com/skiff-oci/skiff/libcontainer/undo"
)

// findClass finds the class of service that the container is to have; nil if it is to
// have none.
func findClass(l *plan.Launch) (*rdt.Group, error) {
	if l.IntelRdt == nil {
		return nil, nil
	}
	return rdt.Find(l.IntelRdt, l.ID)
}

// makeClass makes the container's class of service. A class that the configuration
// names stays when the container is deleted (config-linux.md, "IntelRdt"), but is
// removed if the creation fails.
func (c *Container) makeClass(class *rdt.Group, u *undo.Stack) error {
	if class == nil {
		return nil
	}
	u.Push(class.Undo)
	c.record.RDT.Remove = class.Made && class.Own
	return class.Make()
}

// joinClass moves a process of the container into its class of service.
func (c *Container) joinClass(pid int) error {
	if c.record.RDT.Class == "" {
		return nil
	}
	return rdt.Join(c.record.RDT.Class, c.record.RDT.Monitor, pid)
}

func (c *Container) removeClass() error {
	class := ""
	if c.record.RDT.Remove {
		class = c.record.RDT.Class
	}
	return rdt.Remove(class, c.record.RDT.Monitor)
}
