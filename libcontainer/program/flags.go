// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Flags of operations. [Flags] has the name of each in the child.
const (
	syncEnds  = 1 << 0
	syncEarly = 1 << 1

	keyringNew = 1 << 0

	optional = 1 << 0 // OOMScore, Groups, Unmount, Affinity: a refusal is not an error

	propagateTree = 1 << 0

	fsMountLabel = 1 << 0

	openInRoot = 1 << 0
	openFound  = 1 << 1
	openLater  = 1 << 2

	setAttrTree = 1 << 0
	setAttrTry  = 1 << 1
	setAttrKeep = 1 << 2

	attachOrdinary = 1 << 0
	attachOnProc   = 1 << 1
	attachNoCreate = 1 << 2
	attachFromProc = 1 << 3
	attachMode     = 1 << 4
	attachNoLink   = 1 << 5
	attachOnLink   = 1 << 6

	mknodHost = 1 << 0
	mknodOwn  = 1 << 1

	symlinkReplace = 1 << 0
	symlinkSame    = 1 << 1

	consoleBind = 1 << 0

	hookConfined = 1 << 0
	hookHome     = 1 << 1
	hookUntraced = 1 << 2

	chdirMake  = 1 << 0
	chdirTry   = 1 << 1
	chdirCheck = 1 << 2

	lookupPath = 1 << 0

	seccompListener = 1 << 0

	execListenPID = 1 << 0
)

// Constant is a number that the runtime and the child share.
type Constant struct {
	Name  string // in C
	Value uint32
}

// Flags lists the flags of all operations.
func Flags() []Constant {
	return []Constant{
		{"SYNC_ENDS", syncEnds}, {"SYNC_EARLY", syncEarly},
		{"KEYRING_NEW", keyringNew},
		{"OPTIONAL", optional},
		{"PROPAGATE_TREE", propagateTree},
		{"FSMOUNT_LABEL", fsMountLabel},
		{"OPEN_IN_ROOT", openInRoot}, {"OPEN_FOUND", openFound}, {"OPEN_LATER", openLater},
		{"SETATTR_TREE", setAttrTree}, {"SETATTR_TRY", setAttrTry}, {"SETATTR_KEEP", setAttrKeep},
		{"ATTACH_ORDINARY", attachOrdinary}, {"ATTACH_ON_PROC", attachOnProc}, {"ATTACH_NO_CREATE", attachNoCreate},
		{"ATTACH_FROM_PROC", attachFromProc}, {"ATTACH_MODE", attachMode}, {"ATTACH_NO_LINK", attachNoLink}, {"ATTACH_ON_LINK", attachOnLink},
		{"MKNOD_HOST", mknodHost}, {"MKNOD_OWN", mknodOwn},
		{"SYMLINK_REPLACE", symlinkReplace}, {"SYMLINK_SAME", symlinkSame},
		{"CONSOLE_BIND", consoleBind},
		{"HOOK_CONFINED", hookConfined}, {"HOOK_HOME", hookHome}, {"HOOK_UNTRACED", hookUntraced},
		{"CHDIR_MAKE", chdirMake}, {"CHDIR_TRY", chdirTry}, {"CHDIR_CHECK", chdirCheck},
		{"LOOKUP_PATH", lookupPath},
		{"SECCOMP_LISTENER", seccompListener},
		{"EXEC_LISTEN_PID", execListenPID},
	}
}

// flagNames returns the names of the flags of a kind, from the lowest bit on, for
// listings. They are those of [Flags], without the kind.
func (k Kind) flagNames() []string {
	switch k {
	case kindSync:
		return []string{"ends", "early"}
	case kindKeyring:
		return []string{"new"}
	case kindOOMScore, kindGroups, kindUnmount, kindAffinity:
		return []string{"optional"}
	case kindPropagate:
		return []string{"tree"}
	case kindFSMount:
		return []string{"label"}
	case kindOpenTree:
		return []string{"in-root", "found", "later"}
	case kindSetAttr, kindRemount:
		return []string{"tree", "try", "keep"}
	case kindAttach, kindCopyUp:
		return []string{"ordinary", "on-proc", "no-create", "from-proc", "mode", "no-link", "on-link"}
	case kindMknod:
		return []string{"host", "own"}
	case kindSymlink:
		return []string{"replace", "same"}
	case kindConsole:
		return []string{"bind"}
	case kindHook:
		return []string{"confined", "home", "untraced"}
	case kindChdir:
		return []string{"make", "try", "check"}
	case kindLookup:
		return []string{"path"}
	case kindSeccomp:
		return []string{"listener"}
	case kindExec:
		return []string{"listen-pid"}
	}
	return nil
}

// attributeNames names the bits of mount_setattr(2), and propagationNames the flags of
// mount(2), as options of mount(8).
var (
	attributeNames = [...]bitName{
		{unix.MOUNT_ATTR_RDONLY, "ro"},
		{unix.MOUNT_ATTR_NOSUID, "nosuid"},
		{unix.MOUNT_ATTR_NODEV, "nodev"},
		{unix.MOUNT_ATTR_NOEXEC, "noexec"},
		{unix.MOUNT_ATTR_NOATIME, "noatime"},
		{unix.MOUNT_ATTR_STRICTATIME, "strictatime"},
		{unix.MOUNT_ATTR_NODIRATIME, "nodiratime"},
		{unix.MOUNT_ATTR_IDMAP, "idmap"},
		{unix.MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"},
	}
	propagationNames = [...]bitName{
		{unix.MS_UNBINDABLE, "unbindable"},
		{unix.MS_PRIVATE, "private"},
		{unix.MS_SLAVE, "slave"},
		{unix.MS_SHARED, "shared"},
	}
)

type bitName struct {
	bit  uint64
	name string
}

// bitNames joins the names of the bits of n by |; bits without a name are a number.
func bitNames(n uint64, names []bitName) string {
	var all []string
	for _, b := range names {
		if n&b.bit != 0 {
			all = append(all, b.name)
			n &^= b.bit
		}
	}
	switch {
	case n != 0:
		all = append(all, fmt.Sprintf("%#x", n))
	case len(all) == 0:
		return "none"
	}
	return strings.Join(all, "|")
}

// flagText returns the names of the operation's flags, joined by |.
func (c *code) flagText() string {
	names := c.kind.flagNames()
	bits := make([]bitName, len(names))
	for i, name := range names {
		bits[i] = bitName{1 << i, name}
	}
	return bitNames(uint64(c.flags), bits)
}

// when returns the flag if on, else 0.
func when(on bool, flag uint32) uint32 {
	if on {
		return flag
	}
	return 0
}
