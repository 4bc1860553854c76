// Package idmap writes and reads the id mappings of user namespaces.
package idmap

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// Write gives the new user namespace of process pid its mappings. It takes
// CAP_SETUID and CAP_SETGID in the namespace above it, but for a map of the
// caller's own id alone (user_namespaces(7)); an ordinary user's other maps
// are written by newuidmap(1) and newgidmap(1). The JSON paths of the two lists
// begin with prefix, for errors.
func Write(pid int, m plan.UserMaps, prefix string) error {
	if OwnGroup(m) {
		if err := denyGroups(pid); err != nil {
			return fmt.Errorf("%sgidMappings: %w", prefix, err)
		}
	}
	// Group ids first or last makes no difference to the kernel; user ids come
	// last so that a process with mapped user ids has all of its mappings.
	if err := write(pid, "gid_map", prefix+"gidMappings", m.GID); err != nil {
		return err
	}
	return write(pid, "uid_map", prefix+"uidMappings", m.UID)
}

// OwnGroup tells that the group map is an ordinary user's own group alone. It
// may be written only when setgroups(2) is given up, since to leave a group
// may give access to a file.
func OwnGroup(m plan.UserMaps) bool {
	return os.Geteuid() != 0 && single(m.GID, os.Getegid())
}

func single(list []specs.LinuxIDMapping, id int) bool {
	return len(list) == 1 && list[0].Size == 1 && int(list[0].HostID) == id
}

func denyGroups(pid int) error {
	return sys.WriteOnce(sys.ProcPath(pid, "setgroups"), []byte("deny"))
}

// write writes one file in one call: the kernel takes no second one.
func write(pid int, file, field string, list []specs.LinuxIDMapping) error {
	b := lines(list)
	err := sys.WriteOnce(sys.ProcPath(pid, file), b)
	if errors.Is(err, unix.EPERM) && os.Geteuid() != 0 {
		return help(pid, file, field, list)
	}
	return refused(err, field, len(list), len(b))
}

// lines are mappings as a map file has them.
func lines(list []specs.LinuxIDMapping) []byte {
	var b bytes.Buffer
	for _, m := range list {
		fmt.Fprintf(&b, "%d %d %d\n", m.ContainerID, m.HostID, m.Size)
	}
	return b.Bytes()
}

// refused says why the kernel has not taken so many mappings, which take size
// bytes; nil if it has.
func refused(err error, field string, mappings, size int) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%s: %w (CAP_SETUID and CAP_SETGID are needed, and skiff itself must have the ids)", field, err)
	case errors.Is(err, unix.EINVAL) && size >= os.Getpagesize():
		return fmt.Errorf("%s: %w (%d mappings take %d bytes, and the kernel reads less than %d; give fewer)", field, err, mappings, size, os.Getpagesize())
	}
	return fmt.Errorf("%s: %w", field, err)
}

// Check compares the mappings of the namespace that process pid is in with
// those that a configuration gives. Lines that continue each other are one.
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

// compare refuses mappings that are not those of the namespace; to want none is
// to take all.
func compare(field string, have, want []specs.LinuxIDMapping) error {
	if len(want) == 0 || slices.Equal(joined(have), joined(want)) {
		return nil
	}
	return fmt.Errorf("%s: differs from the mappings of the user namespace that is joined: %s", field, text(have))
}

// Of are the mappings of the user namespace that process pid is in.
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

// joined sorts the entries and joins those that continue each other.
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

// Root is the id that the set-up runs with: 0 if that is mapped, else the
// first that is.
func Root(list []specs.LinuxIDMapping) uint32 {
	if _, ok := proc.HostID(list, 0); ok || len(list) == 0 {
		return 0
	}
	return list[0].ContainerID
}
