package plan

// Kind is what an operation does. The numbers are the wire format: child.c has
// the same list, and a test compares the two.
type Kind uint16

// The operations. A and B are slots, N numbers, S strings; "root" is the slot
// of the container's root directory, inside which every path is resolved.
const (
	_ Kind = iota

	// Process and namespaces.
	OpNoDump   // prctl(PR_SET_DUMPABLE, 0)
	OpUnshare  // N0 CLONE_NEW* flags
	OpSetns    // A namespace or pidfd, N0 CLONE_NEW* flags
	OpFork     // clone(CLONE_PARENT): go on in the new child, tell the parent its pid
	OpSync     // N0 message, Flags SyncEnds: send it, with the descriptor A if there is one, and wait for the parent's answer
	OpAwait    // N0 message: wait for it
	OpSetsid   //
	OpKeyring  // S0 name, Flags 1: make a session keyring, to be found by name, or join one; N0 its owner, a uid of the host
	OpHostname // S0
	OpDomain   // S0
	OpLinkUp   // S0 interface
	OpWrite    // A procfs or NoSlot (then the path as it is), S0 path, S1 value
	OpOOMScore // S0 value, to /proc/self/oom_score_adj, Flags 1: to be refused is no error
	OpClose    // A
	OpResUID   // N0 uid, N1 gid, N2 1: clear the groups, where setgroups(2) is not denied; become root in a user namespace

	// Mounts.
	OpPropagate // S0 host path, N0 MS_* propagation, Flags 1: recursive
	OpFsMount   // A out, S0 type, S1 source, S2... options "k=v" or "k", N0 MOUNT_ATTR_* to set, Data a path of the host, NUL-terminated: where the kernel refuses (EPERM) its tree is cloned, with the attributes N1 and the propagation N2; Flags FsMountLabel
	OpOpenTree  // A out, B directory or NoSlot, S0 path, N0 flags of open_tree, Flags Open*
	OpSetAttr   // A mount, N0 set, N1 clear, N2 propagation, B user namespace for an idmapped mount, Flags SetAttr*
	OpAttach    // A mount, B root (NoSlot: S0 is a path of the host, empty for the working directory), S0 destination, Flags Attach*
	OpMount     // OpFsMount by mount(2), for what fsopen cannot say: A out, B root, S0 type, S1 source, S2 options, N0 MS_* flags
	OpRemount   // A mount, or out: B root, which has it at S0, S1... options of its file system, N0 set, N1 clear, N2 propagation, Flags 1: recursive
	OpCopyUp    // OpAttach, and what the mount hides is copied into it first
	OpPivot     // A root: pivot_root(2) into it, detach the old one
	OpMoveRoot  // A root: MS_MOVE and chroot in place of pivot_root
	OpChroot    // A root: chroot alone
	OpMask      // A detached mount of the host's /dev/null, B root, S0 path, S1... options of the tmpfs over a directory
	OpReadonly  // B root, S0 path

	// Files in the root.
	OpMknod   // B root, S0 path, S1 if given the path in B, N0 mode, N1 major<<32|minor, N2 uid<<32|gid, A device to bind where mknod is refused, Flags Mknod*
	OpSymlink // B root, S0 target, S1 path, Flags Symlink*; else what is there stays
	OpConsole // B root, N0 rows<<16|columns, Flags Console*: make a terminal, send its master
	OpDevNull // B root: stdio that is /dev/null becomes the container's own; OpStdio goes by what is found

	// The user's process.
	OpHook      // A, B where it prints its stdout and stderr, or NoSlot: to the child; S path, args..., env...; N0 args, N1 env, N2 timeout in ms (0: none); Data state document, its pid a run of '#'; Flags Hook*
	OpUmask     // N0
	OpGroups    // Data: uint32 gids, Flags 1: to have none and to be refused is no error
	OpSetID     // N0 uid, N1 gid
	OpStdio     // N0 uid, N1 gid: give stdio to the user
	OpBounding  // N0 mask of the capabilities to keep
	OpKeepCaps  // prctl(PR_SET_KEEPCAPS, 1)
	OpCaps      // N0 effective, N1 permitted, N2 inheritable
	OpAmbient   // N0 mask
	OpNoNewPriv //
	OpSeccomp   // Data: BPF, N0 flags of seccomp(2), Flags 1: send the listener; no other thread may be filtered with this one
	OpChdir     // S0, Flags Chdir*
	OpLookup    // S0 args[0], S1... candidates, Flags LookupPath
	OpHome      // N0 uid: set HOME from /etc/passwd
	OpRlimit    // N0 resource, N1 soft, N2 hard
	OpSched     // S0 policy, Data: struct sched_attr
	OpIOPrio    // N0 value
	OpAffinity  // Data: CPU mask, Flags AffinityTry
	OpPersona   // N0
	OpMemPolicy // S0 mode, N0 mode and flags, Data: node mask
	OpAttr      // A out, S... files to try: open one of our own procfs to write to
	OpLabel     // A from OpAttr, S0 value
	OpKeepFDs   // A first of the fds to keep, Data the numbers they get (int32, ascending): everything else is closed
	OpListen    // A listening socket: wait for start
	OpExec      // S args..., env...; N0 args, N1 env, Flags ExecListenPID

	OpTimeNS  // S0 offsets of the new time namespace, a line each, or empty: write them, and enter it
	OpWorkDir // A directory, or NoSlot and S0 a path of the host: chdir
	OpUnmount // A mount, B the host's /proc, S0 where it is, for messages; Flags 1: not to be attached is no error
	OpIDMap   // A detached mount, N0 its number: the runtime makes it an idmapped one
	OpAgain   // run each OpOpenTree with OpenLater that was put off, and what follows it on the same slot
	OpFiles   // N0 how many descriptors are to be had (RLIMIT_NOFILE), 0: as many as before

	kinds
)

// SyncEnds is the flag of OpSync after which a signal ends the child, if that is
// what it does to a process by default.
const SyncEnds = 1

// Flags of OpOpenTree. S0 is then for messages alone.
const (
	OpenInRoot = 1 << iota // B root, S1 path in it
	OpenFound              // what B itself is; B is closed, and may be A
	OpenLater              // what cannot be cloned, as its mount is unbindable, is put off until OpAgain, which runs in the child's own mount namespace
)

// Flags of OpMknod.
const (
	MknodHost = 1 << iota // where mknod is refused, the host's node at S0 is bound
	MknodOwn              // A is the container's own node, and no host's
)

// Flags of OpSetAttr.
const (
	SetAttrTree = 1 << iota // all mounts of the tree
	SetAttrTry              // to be refused is no error
	SetAttrKeep             // what is read-only and locked stays so, and the parent hears of it
)

// FsMountLabel is the flag of OpFsMount that makes the last string no option,
// but the SELinux label of the root of a new file system.
const FsMountLabel = 1

// Flags of OpAttach and OpCopyUp.
const (
	AttachOrdinary = 1 << iota // the destination must be a plain directory, no symlink on the way (proc, sysfs)
	AttachOnProc               // the destination may be on a procfs
	AttachNoCreate             // the destination must exist
	AttachFromProc             // a bind onto /proc itself: the source must be a procfs
	AttachMode                 // the mount takes over the mode of the directory that it hides (tmpfs)
	AttachNoLink               // no symlink on the way to the destination
	AttachOnLink               // a symlink at the destination is not followed, but mounted on
)

// Flags of OpSymlink.
const (
	SymlinkReplace = 1 << iota // replace what is there
	SymlinkSame                // what is there must be that link
)

// Flags of OpConsole.
const (
	ConsoleBind = 1 << iota // bind the terminal on /dev/console
	ConsoleOwn              // N1 uid: give the terminal to the user
)

// Flags of OpHook.
const (
	HookConfined = 1 << iota // its process runs the operations that follow, up to OpExec, and is executed there
	HookHome                 // it gets HOME as the program does (OpHome)
	HookUntraced             // it does not get CAP_SYS_PTRACE
)

// Flags of OpChdir.
const (
	ChdirMake  = 1 << iota // make the directory when it is missing
	ChdirTry               // not allowed is no error: it is tried again as the user
	ChdirCheck             // the result must be inside the root (CVE-2024-21626)
)

// AffinityTry is the flag of OpAffinity that makes a refusal no error.
const AffinityTry = 1

// ExecListenPID is the flag of OpExec that adds LISTEN_PID to the environment:
// the process's pid as it sees it itself.
const ExecListenPID = 1

// LookupPath is the flag of OpLookup for candidates from PATH, not the
// program's own path.
const LookupPath = 1

var kindNames = [kinds]string{
	"", "nodump", "unshare", "setns", "fork", "sync", "await", "setsid", "keyring", "sethostname", "setdomainname",
	"linkup", "write", "oomscore", "close", "becomeroot",
	"propagate", "fsmount", "opentree", "setattr", "attach", "mount", "remount", "copyup", "pivot", "moveroot", "chroot", "mask", "readonly",
	"mknod", "symlink", "console", "devnull",
	"hook", "umask", "setgroups", "setid", "stdio", "bounding", "keepcaps", "capset", "ambient", "nonewprivs", "seccomp",
	"chdir", "lookup", "home", "rlimit", "sched", "ioprio", "affinity", "personality", "mempolicy", "attr", "label", "keepfds", "listen", "exec",
	"timens", "workdir", "unmount", "idmap", "again", "files",
}

// String is the operation's name in listings.
func (k Kind) String() string {
	if k == 0 || k >= kinds {
		return "invalid"
	}
	return kindNames[k]
}
