package idmap

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
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
		return fmt.Errorf("%s: an ordinary user needs %s to map other ids than the own one: %w (Debian's package uidmap has it)", field, name, err)
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
	return fmt.Errorf("%s: %s refuses %s: %s (%s says which ids this user may have)", field, name, text(list), strings.ReplaceAll(said, "\n", "; "), ranges)
}
