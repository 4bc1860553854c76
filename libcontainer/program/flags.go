// SPDX-License-Identifier: Apache-2.0

package program

// Flags of operations. [Flags] has the name of each in the child.
const (
	syncEnds = 1 << 0

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
		{"SYNC_ENDS", syncEnds},
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

// when returns the flag if on, else 0.
func when(on bool, flag uint32) uint32 {
	if on {
		return flag
	}
	return 0
}
