// SPDX-License-Identifier: Apache-2.0

package program

// Kind is the number of an operation's type in an encoded program.
type Kind uint16

// The kinds. Their numbers may change from version to version: no file that
// outlives a program has them, and child.bin is embedded in the same executable.
const (
	kindNone Kind = iota

	// Process and namespaces.
	kindNoDump
	kindUnshare
	kindSetns
	kindTimeNS
	kindFork
	kindSync
	kindAwait
	kindSetsid
	kindKeyring
	kindHostname
	kindDomain
	kindLinkUp
	kindNetwork
	kindWrite
	kindOOMScore
	kindClose
	kindBecomeRoot
	kindFiles

	// Mounts.
	kindPropagate
	kindFSMount
	kindOpenTree
	kindAgain
	kindSetAttr
	kindIDMap
	kindAttach
	kindCopyUp
	kindMount
	kindRemount
	kindUnmount
	kindWorkDir
	kindPivot
	kindMoveRoot
	kindChroot
	kindMask
	kindReadonly

	// Files in the root.
	kindMknod
	kindSymlink
	kindConsole
	kindDevNull

	// The user's process.
	kindHook
	kindUmask
	kindGroups
	kindSetID
	kindStdio
	kindBounding
	kindKeepCaps
	kindCaps
	kindAmbient
	kindNoNewPrivs
	kindSeccomp
	kindChdir
	kindLookup
	kindHome
	kindRlimit
	kindSched
	kindIOPriority
	kindAffinity
	kindPersonality
	kindMemoryPolicy
	kindAttr
	kindLabel
	kindKeepFDs
	kindListen
	kindExec

	kinds
)

var kindNames = [kinds]string{
	"invalid",
	"nodump", "unshare", "setns", "timens", "fork", "sync", "await", "setsid", "keyring", "sethostname", "setdomainname",
	"linkup", "network", "write", "oomscore", "close", "becomeroot", "files",
	"propagate", "fsmount", "opentree", "again", "setattr", "idmap", "attach", "copyup", "mount", "remount", "unmount", "workdir",
	"pivot", "moveroot", "chroot", "mask", "readonly",
	"mknod", "symlink", "console", "devnull",
	"hook", "umask", "setgroups", "setid", "stdio", "bounding", "keepcaps", "capset", "ambient", "nonewprivs", "seccomp",
	"chdir", "lookup", "home", "rlimit", "sched", "ioprio", "affinity", "personality", "mempolicy", "attr", "label", "keepfds", "listen", "exec",
}

// String returns the operation's name in listings and in the state file.
func (k Kind) String() string {
	if k >= kinds {
		return kindNames[kindNone]
	}
	return kindNames[k]
}

// Kinds lists all kinds, for generated code and tests.
func Kinds() (all []Kind) {
	for k := kindNone + 1; k < kinds; k++ {
		all = append(all, k)
	}
	return all
}

// KindOf returns the kind of an operation.
func KindOf(op Operation) Kind { return op.code().kind }
