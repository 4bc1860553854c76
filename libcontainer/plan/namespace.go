package plan

import (
	"strings"

	"golang.org/x/sys/unix"
)

// NamespaceNames names the namespaces of CLONE_NEW* flags, as config.json does.
func NamespaceNames(flags uint64) string {
	names := [...]struct {
		flag uint64
		name string
	}{
		{unix.CLONE_NEWUSER, "user"}, {unix.CLONE_NEWNS, "mount"}, {unix.CLONE_NEWPID, "pid"}, {unix.CLONE_NEWNET, "network"},
		{unix.CLONE_NEWIPC, "ipc"}, {unix.CLONE_NEWUTS, "uts"}, {unix.CLONE_NEWCGROUP, "cgroup"}, {unix.CLONE_NEWTIME, "time"},
	}
	var s []string
	for _, n := range names {
		if flags&n.flag != 0 {
			s = append(s, n.name)
		}
	}
	return strings.Join(s, "|")
}
