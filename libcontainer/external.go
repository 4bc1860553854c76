// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// externalKey is what a namespace with a path is called in the images; empty
// for those that CRIU cannot leave out.
func externalKey(n *plan.Namespace) (kind, key string) {
	switch {
	case n.Path == "":
	case n.Flag == unix.CLONE_NEWNET:
		return "net", "extRootNetNS"
	case n.Flag == unix.CLONE_NEWPID:
		return "pid", "extRootPidNS"
	}
	return "", ""
}

// joins tells whether a restore joins the namespace by its path, whatever the
// images have of it.
func joins(n *plan.Namespace) bool {
	return n.Path != "" && n.Flag&(unix.CLONE_NEWIPC|unix.CLONE_NEWUTS) != 0
}

// checkNamespaces refuses the namespaces with a path that a restore would make
// anew.
func checkNamespaces(l *plan.Launch) error {
	for i := range l.Namespaces {
		n := &l.Namespaces[i]
		if _, key := externalKey(n); n.Path != "" && key == "" && !joins(n) {
			return fault.With(fault.CRIUFailed, fmt.Errorf("%s.path: CRIU cannot restore a container into an existing %s namespace", n.Field, n.Type))
		}
	}
	return checkHostTrees(l)
}

// checkDevices refuses network devices from outside in a network namespace that
// a restore makes anew: CRIU would make devices of their names there itself, and
// the place of those that are moved would be taken. empty: it leaves them out.
func checkDevices(l *plan.Launch, empty bool) error {
	if len(l.NetDevices) == 0 || empty {
		return nil
	}
	for i := range l.Namespaces {
		if n := &l.Namespaces[i]; n.Flag == unix.CLONE_NEWNET && n.Path == "" {
			err := fault.New(fault.CRIUFailed, "linux.netDevices: CRIU cannot restore a device that was moved into a new network namespace")
			return fault.Hint(err, "give the network namespace a path, or use --empty-ns network to leave out the devices")
		}
	}
	return nil
}

// checkHostTrees refuses what a user namespace has of the host's for want of a
// namespace of its own: CRIU would mount it anew, and may not.
func checkHostTrees(l *plan.Launch) error {
	made := make(map[uint64]bool)
	for i := range l.Namespaces {
		made[l.Namespaces[i].Flag] = l.Namespaces[i].Path == ""
	}
	if !made[unix.CLONE_NEWUSER] {
		return nil
	}
	for i := range l.Rootfs.Mounts {
		m := &l.Rootfs.Mounts[i]
		for _, owner := range [...]struct {
			fs, namespace string
			flag          uint64
		}{{"proc", "pid", unix.CLONE_NEWPID}, {"sysfs", "network", unix.CLONE_NEWNET}, {"mqueue", "ipc", unix.CLONE_NEWIPC}} {
			if m.Type == owner.fs && !m.Bind && !made[owner.flag] {
				return fault.With(fault.CRIUFailed, fmt.Errorf("%s: CRIU cannot restore %s in a user namespace without a new %s namespace", m.Field, owner.fs, owner.namespace))
			}
		}
	}
	return nil
}

// externalNamespaces are those that the container has joined.
func (c *Container) externalNamespaces(l *plan.Launch) (list []string) {
	for i := range l.Namespaces {
		kind, key := externalKey(&l.Namespaces[i])
		if kind == "" {
			continue
		}
		var st unix.Stat_t
		if err := unix.Stat(sys.ProcPath(c.record.Pid, "ns/"+kind), &st); err == nil {
			list = append(list, fmt.Sprintf("%s[%d]:%s", kind, st.Ino, key))
		}
	}
	return list
}
