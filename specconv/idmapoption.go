// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
)

// idmapOption parses crun's option idmap=uids=A-B-N#...;gids=..., or ridmap=..., which
// podman passes on. It maps the N ids from A on of the file system to those from B on of
// the host. In an entry that begins with @, B is an id in the container's user namespace.
// It returns false if o is another option.
func (c *compiler) idmapOption(o, field string) (*plan.IDMap, bool) {
	name, value, ok := strings.Cut(o, "=")
	if !ok || name != "idmap" && name != "ridmap" {
		return nil, false
	}
	m := &plan.IDMap{Recursive: name == "ridmap"}
	for part := range strings.SplitSeq(value, ";") {
		key, list, _ := strings.Cut(part, "=")
		switch key {
		case "uids":
			m.UID = c.idmapList(list, c.out.UserMaps.UID, field)
		case "gids":
			m.GID = c.idmapList(list, c.out.UserMaps.GID, field)
		default:
			c.fault(field, "%q must consist of uids=... and gids=..., separated by a semicolon", o)
		}
	}
	if len(m.UID) == 0 || len(m.GID) == 0 {
		c.fault(field, "%q: uids and gids must both be given", o)
	}
	return m, true
}

func (c *compiler) idmapList(list string, userns []specs.LinuxIDMapping, field string) (maps []specs.LinuxIDMapping) {
	for text := range strings.SplitSeq(list, "#") {
		m, ok := idmapEntry(text, userns)
		if !ok {
			c.fault(field, "%q must be FIRST-HOST-SIZE, or @FIRST-CONTAINER-SIZE with ids that the container's user namespace maps", text)
			continue
		}
		maps = append(maps, m)
	}
	c.maps(maps, field)
	return maps
}

func idmapEntry(text string, userns []specs.LinuxIDMapping) (m specs.LinuxIDMapping, ok bool) {
	text, relative := strings.CutPrefix(text, "@")
	numbers := strings.Split(text, "-")
	if len(numbers) != 3 {
		return m, false
	}
	for i, to := range [...]*uint32{&m.ContainerID, &m.HostID, &m.Size} {
		n, err := strconv.ParseUint(numbers[i], 10, 32)
		if err != nil {
			return m, false
		}
		*to = uint32(n)
	}
	if !relative || m.Size == 0 {
		return m, true
	}
	first, ok := proc.HostID(userns, m.HostID)
	last, lastOK := proc.HostID(userns, m.HostID+m.Size-1)
	m.HostID = first
	return m, ok && lastOK && last-first == m.Size-1
}
