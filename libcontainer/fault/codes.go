package fault

import "golang.org/x/sys/unix"

// Code names a kind of error. A code never changes its meaning, and none is removed.
type Code string

// The codes. [Codes] has what they mean.
const (
	Usage            Code = "usage"
	InvalidConfig    Code = "invalid-config"
	InvalidID        Code = "invalid-container-id"
	NoContainer      Code = "container-not-found"
	ContainerExists  Code = "container-exists"
	NotRunning       Code = "container-not-running"
	StillRunning     Code = "container-running"
	Paused           Code = "container-paused"
	NotPaused        Code = "container-not-paused"
	Damaged          Code = "state-damaged"
	NewerState       Code = "state-newer"
	ProgramNotFound  Code = "program-not-found"
	ProgramUnusable  Code = "program-not-executable"
	HookFailed       Code = "hook-failed"
	Killed           Code = "process-killed"
	OutOfMemory      Code = "out-of-memory"
	TooManyProcesses Code = "process-limit"
	CgroupInUse      Code = "cgroup-in-use"
	CgroupFrozen     Code = "cgroup-frozen"
	NoCgroup         Code = "cgroup-missing"
	NoSystemd        Code = "systemd-unreachable"
	UnitExists       Code = "systemd-unit-exists"
	CRIUFailed       Code = "criu-failed"
	IncompleteBuild  Code = "incomplete-build"
	NoPermission     Code = "permission-denied"
	NotFound         Code = "not-found"
	NoSpace          Code = "no-space"
	NoDescriptors    Code = "descriptor-limit"
	NotSupported     Code = "not-supported"
	OperationFailed  Code = "failed"
)

// Meaning describes a code.
type Meaning struct {
	Code   Code
	Means  string // what has happened
	Remedy string // what to do
}

// Codes are all codes, in the order of docs/ERRORS.md.
var Codes = []Meaning{
	{Usage, "The command line is wrong.", "Read `skiff help VERB`, or skiff-VERB(8)."},
	{InvalidConfig, "config.json, or another file that the caller has named, has values that are not valid. All of them are reported together.", "Correct the fields that `field` and `fields` name."},
	{InvalidID, "The container's id has a character that is not allowed, or is too long.", "Use letters, digits, `_`, `+`, `.` and `-`, at most 1024 of them."},
	{NoContainer, "There is no container with this id below the state directory.", "Check the id and `--root`: `skiff list` shows the containers of one root. Another user's are elsewhere."},
	{ContainerExists, "There is a container with this id already.", "Use another id, or delete the container."},
	{NotRunning, "The container's first process has ended, or was never there.", "Delete the container, and create it anew."},
	{StillRunning, "The container's first process is alive.", "Kill it first, or use `delete --force`."},
	{Paused, "The container is paused, and the command would wait until it is resumed.", "`skiff resume` it first."},
	{NotPaused, "The container is not paused.", "Nothing: it runs already."},
	{Damaged, "The container's record cannot be read.", "`skiff delete --force` ends and removes the container."},
	{NewerState, "A newer version of skiff has made the container, and uses what this one does not know.", "Use that version, or `skiff delete --force`."},
	{ProgramNotFound, "The program to run is not in the container.", "Check `process.args[0]`, `PATH` in `process.env`, and the root file system."},
	{ProgramUnusable, "The program to run cannot be executed: it is a directory, is not executable for this user, or is for another machine.", "Check the file's mode, its `#!` line or its architecture, and the options of the mount that it is on."},
	{HookFailed, "A hook of config.json has failed, or has taken longer than its timeout.", "The message has the hook's path, its exit status and the end of its output."},
	{Killed, "The process that was being started was killed from outside.", "Look for the one who did it: a memory limit, `delete --force`, an administrator."},
	{OutOfMemory, "The kernel has killed a process of the container, because a memory limit is reached.", "Raise `linux.resources.memory.limit`, or the limit of a cgroup above."},
	{TooManyProcesses, "A limit on the number of processes is reached.", "Raise the limit that the message names."},
	{CgroupInUse, "The cgroup has processes in it already, or is protected: the root cgroup, or skiff's own.", "Give the container another `linux.cgroupsPath`."},
	{CgroupFrozen, "The cgroup, or one above it, is frozen.", "Thaw it: write 0 to the `cgroup.freeze` that the message names."},
	{NoCgroup, "The container has no cgroup of its own, or the host has not the controller that is needed.", "An ordinary user needs a delegated cgroup: `systemd-run --user --scope -p Delegate=yes`."},
	{NoSystemd, "systemd cannot be reached over D-Bus.", "Leave out `--systemd-cgroup`, or start the session's D-Bus."},
	{UnitExists, "There is a systemd unit of the container's name already.", "Use another `linux.cgroupsPath`, or stop the unit."},
	{CRIUFailed, "CRIU could not checkpoint or restore the container.", "The message has CRIU's own; its log is in `--work-path`."},
	{IncompleteBuild, "This skiff was built without a part that it needs.", "Build it with `make`."},
	{NoPermission, "The kernel has refused a system call.", "The message names the call and its object. Often a capability, a security module or a seccomp filter around skiff is the reason."},
	{NotFound, "A file or directory is missing.", "Check the path in `path`."},
	{NoSpace, "A file system is full, or a limit on namespaces, mounts or watches is reached.", "The message names what is full."},
	{NoDescriptors, "A limit on open files is reached.", "Raise RLIMIT_NOFILE of skiff's caller, or the kernel's `fs.file-max`."},
	{NotSupported, "The kernel does not have what is asked for.", "docs/KERNELS.md says what needs which kernel."},
	{OperationFailed, "Something else has failed.", "Read the message; `--debug` shows each step."},
}

// codeOf returns the code of an error of which no more is known than its errno.
func codeOf(errno unix.Errno) Code {
	switch errno {
	case unix.EPERM, unix.EACCES, unix.EROFS:
		return NoPermission
	case unix.ENOENT, unix.ENOTDIR:
		return NotFound
	case unix.ENOSPC, unix.EDQUOT:
		return NoSpace
	case unix.EMFILE, unix.ENFILE:
		return NoDescriptors
	case unix.ENOSYS, unix.EOPNOTSUPP:
		return NotSupported
	case unix.ENOMEM:
		return OutOfMemory
	}
	return OperationFailed
}
