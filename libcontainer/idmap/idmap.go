// Package idmap writes the id mappings of user namespaces.
package idmap

import (
	"bytes"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// Write gives the new user namespace of process pid its mappings. The caller
// needs CAP_SETUID and CAP_SETGID in the namespace above it
// (user_namespaces(7)).
func Write(pid int, m plan.UserMaps) error {
	// Group ids first or last makes no difference to the kernel; user ids come
	// last so that a process with mapped user ids has all of its mappings.
	if err := write(pid, "gid_map", "linux.gidMappings", m.GID); err != nil {
		return err
	}
	return write(pid, "uid_map", "linux.uidMappings", m.UID)
}

// write writes one file in one call: the kernel takes no second one.
func write(pid int, file, field string, list []specs.LinuxIDMapping) error {
	var b bytes.Buffer
	for _, m := range list {
		fmt.Fprintf(&b, "%d %d %d\n", m.ContainerID, m.HostID, m.Size)
	}
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/%s", pid, file), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	defer f.Close()
	if _, err := f.Write(b.Bytes()); err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return nil
}

// Host gives the host's id for id in the namespace; false if it is not mapped.
func Host(list []specs.LinuxIDMapping, id uint32) (uint32, bool) {
	for _, m := range list {
		if id >= m.ContainerID && id-m.ContainerID < m.Size {
			return m.HostID + id - m.ContainerID, true
		}
	}
	return 0, false
}

// Root is the id that the set-up runs with: 0 if that is mapped, else the
// first that is.
func Root(list []specs.LinuxIDMapping) uint32 {
	if _, ok := Host(list, 0); ok || len(list) == 0 {
		return 0
	}
	return list[0].ContainerID
}
