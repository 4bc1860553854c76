// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// IDMap parses the text of /proc/PID/uid_map or gid_map (user_namespaces(7)).
func IDMap(text string) (list []specs.LinuxIDMapping, err error) {
	for line := range strings.Lines(text) {
		var m specs.LinuxIDMapping
		f := strings.Fields(line)
		if len(f) != 3 {
			return nil, fmt.Errorf("%q must be three numbers", line)
		}
		for i, to := range [...]*uint32{&m.ContainerID, &m.HostID, &m.Size} {
			n, err := strconv.ParseUint(f[i], 10, 32)
			if err != nil {
				return nil, err
			}
			*to = uint32(n)
		}
		list = append(list, m)
	}
	return list, nil
}

// HostID maps an id inside a user namespace to the one outside. It returns false if the
// id is not mapped.
func HostID(list []specs.LinuxIDMapping, id uint32) (uint32, bool) {
	for _, m := range list {
		if id >= m.ContainerID && id-m.ContainerID < m.Size {
			return m.HostID + (id - m.ContainerID), true
		}
	}
	return 0, false
}
