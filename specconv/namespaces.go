package specconv

import (
	"path/filepath"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// namespaceTypes lists the types in the order in which they are entered: the
// user namespace owns the others, and the mount namespace hides the host's
// tree.
var namespaceTypes = [...]struct {
	name specs.LinuxNamespaceType
	flag uint64
}{
	{specs.UserNamespace, unix.CLONE_NEWUSER},
	{specs.TimeNamespace, unix.CLONE_NEWTIME},
	{specs.IPCNamespace, unix.CLONE_NEWIPC},
	{specs.UTSNamespace, unix.CLONE_NEWUTS},
	{specs.NetworkNamespace, unix.CLONE_NEWNET},
	{specs.PIDNamespace, unix.CLONE_NEWPID},
	{specs.CgroupNamespace, unix.CLONE_NEWCGROUP},
	{specs.MountNamespace, unix.CLONE_NEWNS},
}

// namespaceRank is the position of a type in namespaceTypes, -1 for another.
func namespaceRank(t specs.LinuxNamespaceType) int {
	for i := range namespaceTypes {
		if namespaceTypes[i].name == t {
			return i
		}
	}
	return -1
}

func (c *compiler) namespaces() {
	var seen [len(namespaceTypes)]bool
	for i, n := range c.linux.Namespaces {
		field := at("linux.namespaces", i)
		rank := namespaceRank(n.Type)
		switch {
		case rank < 0:
			c.fault(field+".type", "%q is none of user, time, ipc, uts, network, pid, cgroup, mount", n.Type)
			continue
		case seen[rank]:
			c.fault(field+".type", "%q is there twice", n.Type)
			continue
		case n.Path != "" && !filepath.IsAbs(n.Path):
			c.fault(field+".path", "%q must be an absolute path", n.Path)
		}
		seen[rank] = true
		c.out.Namespaces = append(c.out.Namespaces, plan.Namespace{Field: field, Type: n.Type, Flag: namespaceTypes[rank].flag, Path: n.Path})
	}
	slices.SortStableFunc(c.out.Namespaces, func(a, b plan.Namespace) int { return namespaceRank(a.Type) - namespaceRank(b.Type) })
}

// has tells that the container has a namespace of the type, new or joined.
func (c *compiler) has(t specs.LinuxNamespaceType) bool {
	for i := range c.linux.Namespaces {
		if c.linux.Namespaces[i].Type == t {
			return true
		}
	}
	return false
}
