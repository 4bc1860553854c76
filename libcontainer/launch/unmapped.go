// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/idmap"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// failure returns the error for an operation of the child that has failed. If an
// id is not mapped, the maps of the child, which has not been reaped, tell which.
func (b *binding) failure(s *spawned, m wire.Message) error {
	op := b.prog.At(m.Index).Operation
	if m.Errno == unix.EINVAL && changesIDs(op) {
		if have, err := idmap.Of(s.pid); err == nil {
			if err := b.unmapped(op, have); err != nil {
				return err
			}
		}
	}
	return b.failed(m)
}

func changesIDs(op program.Operation) bool {
	switch op.(type) {
	case program.SetID, program.Groups, program.BecomeRoot:
		return true
	}
	return false
}

// unmapped returns an error that names the id which an operation needs and which is
// not mapped in the user namespace, whose mappings config.json does not have; nil if
// all are mapped.
func (b *binding) unmapped(op program.Operation, have plan.UserMaps) error {
	whose := "the user namespace"
	if !b.userns {
		whose = "skiff's own user namespace"
	}
	missing := func(field, kind string, id uint32, list []specs.LinuxIDMapping) error {
		if _, ok := proc.HostID(list, id); ok {
			return nil
		}
		return fmt.Errorf("%s: %s ID %d is not mapped in %s, which maps %s", field, kind, id, whose, plan.IDRanges(list))
	}
	p := &b.Launch.Process
	switch op.(type) {
	case program.Groups:
		for i, g := range p.Groups {
			if err := missing(plan.At(b.field("user.additionalGids"), i), "group", g, have.GID); err != nil {
				return err
			}
		}
	case program.SetID:
		if err := missing(b.field("user.gid"), "group", p.GID, have.GID); err != nil {
			return err
		}
		return missing(b.field("user.uid"), "user", p.UID, have.UID)
	case program.BecomeRoot:
		m := b.Launch.UserMaps
		if err := missing("linux.gidMappings", "group", idmap.Root(m.GID), have.GID); err != nil {
			return err
		}
		return missing("linux.uidMappings", "user", idmap.Root(m.UID), have.UID)
	}
	return nil
}
