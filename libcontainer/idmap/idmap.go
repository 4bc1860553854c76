// SPDX-License-Identifier: Apache-2.0

// Package idmap writes and reads the id mappings of user namespaces.
package idmap

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// Write writes the mappings of the new user namespace of process pid. This takes
// CAP_SETUID and CAP_SETGID in the parent namespace, except for a map of only the
// caller's own id (user_namespaces(7)). For an ordinary user, newuidmap(1) and
// newgidmap(1) write other maps. prefix is the beginning of the JSON paths of the two
// lists, for errors.
func Write(pid int, m plan.UserMaps, prefix string) error {
	if OwnGroup(m) {
		if err := denyGroups(pid); err != nil {
			return fmt.Errorf("%sgidMappings: %w", prefix, err)
		}
	}
	// The kernel does not care about the order. User ids come last, so that a process
	// whose user ids are mapped has all of its mappings.
	if err := write(pid, "gid_map", prefix+"gidMappings", m.GID); err != nil {
		return err
	}
	return write(pid, "uid_map", prefix+"uidMappings", m.UID)
}

// OwnGroup reports whether the group map contains only an ordinary user's own group.
// Such a map may be written only after setgroups(2) has been denied, since dropping a
// group may give access to a file.
func OwnGroup(m plan.UserMaps) bool {
	return os.Geteuid() != 0 && single(m.GID, os.Getegid())
}

func single(list []specs.LinuxIDMapping, id int) bool {
	return len(list) == 1 && list[0].Size == 1 && int(list[0].HostID) == id
}

func denyGroups(pid int) error {
	return sys.WriteOnce(sys.ProcPath(pid, "setgroups"), []byte("deny"))
}

// write writes one map file in one write(2): the kernel does not accept a second one.
func write(pid int, file, field string, list []specs.LinuxIDMapping) error {
	b := lines(list)
	m := trace.Begin()
	err := sys.WriteOnce(sys.ProcPath(pid, file), b)
	if m.On() {
		m.Done(err, "write", fmt.Sprintf("/proc/%d/%s %q", pid, file, b))
	}
	if errors.Is(err, unix.EPERM) && os.Geteuid() != 0 {
		return help(pid, file, field, list)
	}
	return refused(err, field, len(list), len(b))
}

// lines formats mappings for a map file.
func lines(list []specs.LinuxIDMapping) []byte {
	var b bytes.Buffer
	for _, m := range list {
		fmt.Fprintf(&b, "%d %d %d\n", m.ContainerID, m.HostID, m.Size)
	}
	return b.Bytes()
}

// refused explains the error for a map file, to which mappings of size bytes were
// written; nil if there is none.
func refused(err error, field string, mappings, size int) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM):
		return fault.Hint(fmt.Errorf("%s: %w", field, err), "CAP_SETUID and CAP_SETGID are required, and the host ids must exist in skiff's own user namespace")
	case errors.Is(err, unix.EINVAL) && size >= os.Getpagesize():
		return fault.Hint(fmt.Errorf("%s: %w", field, err),
			fmt.Sprintf("the text of the %d mappings is %d bytes long, and must be less than %d: use fewer mappings", mappings, size, os.Getpagesize()))
	}
	return fmt.Errorf("%s: %w", field, err)
}

// Check compares the mappings of the user namespace of process pid with those of a
// configuration. It treats adjacent ranges as one.
func Check(pid int, m plan.UserMaps) error {
	for _, f := range [...]struct {
		file, field string
		want        []specs.LinuxIDMapping
	}{{"uid_map", "linux.uidMappings", m.UID}, {"gid_map", "linux.gidMappings", m.GID}} {
		have, err := read(pid, f.file)
		if err != nil {
			return fmt.Errorf("%s: %w", f.field, err)
		}
		if err := compare(f.field, have, f.want); err != nil {
			return err
		}
	}
	return nil
}

// compare returns an error if the mappings differ. If none are wanted, any are
// accepted.
func compare(field string, have, want []specs.LinuxIDMapping) error {
	if len(want) == 0 || slices.Equal(joined(have), joined(want)) {
		return nil
	}
	return fault.With(fault.InvalidConfig, fmt.Errorf("%s: must be the same as in the user namespace that is joined, which has %s", field, text(have)))
}

// Of returns the mappings of the user namespace of process pid.
func Of(pid int) (m plan.UserMaps, err error) {
	if m.UID, err = read(pid, "uid_map"); err == nil {
		m.GID, err = read(pid, "gid_map")
	}
	return m, err
}

func read(pid int, file string) ([]specs.LinuxIDMapping, error) {
	b, err := sys.ReadFile(sys.ProcPath(pid, file))
	if err != nil {
		return nil, err
	}
	list, err := proc.IDMap(string(b))
	if err != nil {
		return nil, fmt.Errorf("/proc/%d/%s: %w", pid, file, err)
	}
	return list, nil
}

// joined sorts the mappings and joins adjacent ranges.
func joined(list []specs.LinuxIDMapping) []specs.LinuxIDMapping {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b specs.LinuxIDMapping) int { return int(int64(a.ContainerID) - int64(b.ContainerID)) })
	out := list[:0]
	for _, m := range list {
		if n := len(out); n > 0 && out[n-1].ContainerID+out[n-1].Size == m.ContainerID && out[n-1].HostID+out[n-1].Size == m.HostID {
			out[n-1].Size += m.Size
			continue
		}
		out = append(out, m)
	}
	return out
}

func text(list []specs.LinuxIDMapping) string {
	if len(list) == 0 {
		return "none"
	}
	s := ""
	for i, m := range list {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprintf("%d:%d:%d", m.ContainerID, m.HostID, m.Size)
	}
	return s
}

// Root returns the id with which the child sets the container up: 0 if it is mapped,
// else the first id of the first mapping.
func Root(list []specs.LinuxIDMapping) uint32 {
	if _, ok := proc.HostID(list, 0); ok || len(list) == 0 {
		return 0
	}
	return list[0].ContainerID
}
