// SPDX-License-Identifier: Apache-2.0

package specconv

import "strings"

// intelRdt checks the class of service and its schemata (config-linux.md, "IntelRdt"). The
// kernel checks what depends on the processor.
func (c *compiler) intelRdt() {
	r := c.linux.IntelRdt
	if r == nil {
		return
	}
	const field = "linux.intelRdt"
	switch id := r.ClosID; {
	case id == "":
		c.classID(c.ID, field+".closID: not set, so the container's id is used")
	case id == "/":
	case strings.Contains(id, "/"):
		c.fault(field+".closID", "%q must be a name without slashes, or / for the default class", id)
	default:
		c.classID(id, field+".closID")
	}
	if s := r.L3CacheSchema; s != "" && !strings.HasPrefix(s, "L3:") {
		c.warn(field+".l3CacheSchema", "%q should begin with L3:", s)
	}
	if s := r.MemBwSchema; s != "" && !strings.HasPrefix(s, "MB:") {
		c.fault(field+".memBwSchema", "%q must begin with MB:", s)
	}
	c.oneLine(r.MemBwSchema, field+".memBwSchema")
	for i, s := range r.Schemata {
		if s == "" {
			c.fault(at(field+".schemata", i), "must not be empty")
		}
		c.oneLine(s, at(field+".schemata", i))
	}
	c.out.IntelRdt = r
}

// classID refuses names of files and directories that resctrl has itself.
func (c *compiler) classID(id, field string) {
	switch id {
	case ".", "..", "info", "mon_groups", "mon_data":
		c.fault(field, "%q is reserved, and cannot be the name of a class of service", id)
	}
	c.oneLine(id, field)
}

func (c *compiler) oneLine(s, field string) {
	if strings.Contains(s, "\n") {
		c.fault(field, "%q must not contain a newline", s)
	}
}
