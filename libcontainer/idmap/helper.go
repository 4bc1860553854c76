// SPDX-License-Identifier: Apache-2.0

package idmap

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
)

// help runs newuidmap(1) or newgidmap(1) to write the map file of process pid. They
// are set-user-id programs, and allow what /etc/subuid and /etc/subgid grant to the
// caller.
func help(pid int, file, field string, list []specs.LinuxIDMapping) error {
	name, ranges := "newuidmap", "/etc/subuid"
	if file == "gid_map" {
		name, ranges = "newgidmap", "/etc/subgid"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		err = fmt.Errorf("%s: %s is required to map ids other than the user's own: %w", field, name, err)
		return fault.Hint(fault.With(fault.NotFound, err), "Debian has it in the package uidmap")
	}
	args := []string{strconv.Itoa(sys.InProc(pid))}
	for _, m := range list {
		for _, n := range [...]uint32{m.ContainerID, m.HostID, m.Size} {
			args = append(args, strconv.FormatUint(uint64(n), 10))
		}
	}
	m := trace.Begin()
	out, err := exec.Command(path, args...).CombinedOutput()
	if m.On() {
		m.Done(err, "run", path+" "+strings.Join(args, " "))
	}
	if err == nil {
		return nil
	}
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		return fmt.Errorf("%s: %w", field, err)
	}
	said := strings.TrimPrefix(string(bytes.TrimSpace(out)), name+": ")
	err = fmt.Errorf("%s: %s refused the mapping %s: %s", field, name, text(list), strings.ReplaceAll(said, "\n", "; "))
	return fault.Hint(fault.With(fault.NoPermission, err), ranges+" lists the ids that this user may map")
}
