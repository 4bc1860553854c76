// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// netDevices checks the network devices to move into the container (config-linux.md,
// "Network Devices").
func (c *compiler) netDevices() {
	list := c.linux.NetDevices
	if len(list) == 0 {
		return
	}
	const field = "linux.netDevices"
	switch {
	case !c.has(specs.NetworkNamespace):
		c.fault(field, "requires a network namespace in linux.namespaces")
	case c.Rootless:
		c.fault(field, "requires privileges on the host: an ordinary user cannot move network devices")
	}
	names := make(map[string]string) // new name to old
	for _, old := range slices.Sorted(maps.Keys(list)) {
		at := fmt.Sprintf("%s[%q]", field, old)
		c.deviceName(at, old, false)
		name := list[old].Name
		if name == "" {
			name = old
		} else {
			at += ".name"
			c.deviceName(at, name, true)
		}
		if other, ok := names[name]; ok && !strings.Contains(name, "%") {
			c.fault(at, "%q is already the name of %s[%q]", name, field, other)
		}
		names[name] = old
	}
	c.out.NetDevices = list
}

// deviceName checks a name as the kernel does (dev_valid_name). A template may contain one
// %d, for which the kernel substitutes the first free number.
func (c *compiler) deviceName(field, name string, template bool) {
	switch {
	case name == "":
		c.fault(field, "the name must not be empty")
	case len(name) >= unix.IFNAMSIZ:
		c.fault(field, "%q must be at most %d bytes long, not %d", name, unix.IFNAMSIZ-1, len(name))
	case name == ".", name == "..", strings.ContainsAny(name, "/: \t\n\v\f\r"):
		c.fault(field, "%q is not a valid name of a network device", name)
	case template && strings.Contains(strings.Replace(name, "%d", "", 1), "%"), !template && strings.Contains(name, "%"):
		c.fault(field, "%q must not contain %%, except for one %%d in the name inside the container", name)
	}
}
