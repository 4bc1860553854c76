// Package stats reads what a container uses from its cgroups.
//
// It alone links github.com/opencontainers/cgroups, whose packages and their
// dependencies take some 80 µs of every start of the program.
package stats

import (
	"fmt"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fs"
	"github.com/opencontainers/cgroups/fs2"
	"github.com/skiff-oci/skiff/libcontainer/cgroup"
)

// Read gives the statistics of all controllers that the group has. On a hybrid
// host they are v1's.
func Read(g *cgroup.Group) (*cgroups.Stats, error) {
	paths := g.Paths()
	c := &cgroups.Cgroup{Resources: &cgroups.Resources{}}
	var m cgroups.Manager
	var err error
	if unified, ok := paths[""]; ok && len(paths) == 1 {
		m, err = fs2.NewManager(c, unified)
	} else {
		delete(paths, "")
		m, err = fs.NewManager(c, paths)
	}
	if err != nil {
		return nil, fmt.Errorf("cgroup statistics: %w", err)
	}
	return m.GetStats()
}
