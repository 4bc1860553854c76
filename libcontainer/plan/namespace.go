// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// NamespaceType is one type of namespace.
type NamespaceType struct {
	Type specs.LinuxNamespaceType
	Flag uint64 // CLONE_NEW*
	File string // in /proc/PID/ns; /proc/sys/user has its limit as max_FILE_namespaces
}

// NamespaceTypes are all types, in the order in which they are entered: the user
// namespace comes first because it owns the others, the mount namespace last because it
// hides the host's tree.
var NamespaceTypes = [...]NamespaceType{
	{specs.UserNamespace, unix.CLONE_NEWUSER, "user"},
	{specs.TimeNamespace, unix.CLONE_NEWTIME, "time"},
	{specs.IPCNamespace, unix.CLONE_NEWIPC, "ipc"},
	{specs.UTSNamespace, unix.CLONE_NEWUTS, "uts"},
	{specs.NetworkNamespace, unix.CLONE_NEWNET, "net"},
	{specs.PIDNamespace, unix.CLONE_NEWPID, "pid"},
	{specs.CgroupNamespace, unix.CLONE_NEWCGROUP, "cgroup"},
	{specs.MountNamespace, unix.CLONE_NEWNS, "mnt"},
}

// listed has the indices of NamespaceTypes in the order in which messages name them, the
// best known first.
var listed = [len(NamespaceTypes)]int{0, 7, 5, 4, 2, 3, 6, 1}

// NamespacesOf returns the types that CLONE_NEW* flags name, in the order of messages.
func NamespacesOf(flags uint64) (list []NamespaceType) {
	for _, i := range listed {
		if flags&NamespaceTypes[i].Flag != 0 {
			list = append(list, NamespaceTypes[i])
		}
	}
	return list
}

// NamespaceNames returns config.json's names for the namespaces of CLONE_NEW* flags.
func NamespaceNames(flags uint64) string {
	var names []string
	for _, n := range NamespacesOf(flags) {
		names = append(names, string(n.Type))
	}
	return strings.Join(names, "|")
}
