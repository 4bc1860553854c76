// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"os"

	"github.com/skiff-oci/skiff/libcontainer/idmap"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// idNamespaces are the user namespaces for idmapped mounts, by the text of their
// mappings: many mounts have the same ones.
type idNamespaces map[string]*os.File

func (b *binding) closeMaps() {
	for _, f := range b.maps {
		f.Close()
	}
	b.maps = nil
}

// mapAsked turns the mount that the child has sent into an idmapped mount.
func (b *binding) mapAsked(m wire.Message) error {
	defer m.File.Close()
	defer b.closeMaps()
	return b.tree.MapAsked(m.Value, m.File, b.mappedNamespace)
}

// mappedNamespace returns a user namespace with the mappings of a mount, as a
// descriptor for the caller to close.
func (b *binding) mappedNamespace(m *plan.IDMap) (*os.File, error) {
	maps := plan.UserMaps{UID: m.UID, GID: m.GID}
	if maps.Empty() {
		for _, n := range b.Launch.Namespaces {
			if n.Flag == unix.CLONE_NEWUSER && n.Path != "" {
				return openNamespace(n)
			}
		}
		maps = b.Launch.UserMaps
	}
	key := fmt.Sprint(maps)
	f := b.maps[key]
	if f == nil {
		var err error
		if f, err = throwaway(b.Scratch, maps); err != nil {
			return nil, err
		}
		if b.maps == nil {
			b.maps = make(idNamespaces)
		}
		b.maps[key] = f
	}
	return sys.Dup(f)
}

// throwaway makes a user namespace only for its mappings. A child makes it, waits
// for the maps, and ends with the conversation; the descriptor keeps the namespace
// alive.
func throwaway(scratch string, maps plan.UserMaps) (_ *os.File, err error) {
	b := &binding{Request: &Request{Launch: new(plan.Launch), Scratch: scratch}, prog: new(program.Program), silent: true}
	b.prog.Inherit(0)
	b.prog.Add("", program.Unshare{Namespaces: unix.CLONE_NEWUSER})
	b.prog.Add("", program.Sync{Message: wire.Maps})
	s, err := b.spawn(nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.kill() }()
	defer s.conn.Close()
	m, err := s.conn.Receive()
	if err != nil {
		return nil, s.died(err)
	}
	if _, err := wire.Accept(b.prog.Script(), m); err != nil {
		return nil, err
	}
	if m.Type == wire.Failed {
		return nil, describe(b.prog.At(m.Index), m)
	}
	if err := idmap.Write(s.pid, maps, ""); err != nil {
		return nil, err
	}
	return sys.OpenNamespace(sys.ProcPath(s.pid, "ns/user"))
}
