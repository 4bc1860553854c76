// SPDX-License-Identifier: Apache-2.0

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
	{InvalidConfig, "config.json, or another file given by the caller, has invalid values. All of them are reported together.", "Correct the fields that `field` and `fields` name."},
	{InvalidID, "The container ID is empty, too long, or has a character that is not allowed.", "Use 1 to 1024 letters, digits, `_`, `+`, `.` and `-`."},
	{NoContainer, "The state directory has no container with this ID.", "Check the ID and `--root`: `skiff list` shows the containers of one root. The containers of another user are in another one."},
	{ContainerExists, "A container with this ID already exists.", "Use another ID, or delete the container."},
	{NotRunning, "The container's first process has ended, or was never started.", "Delete the container, and create it again."},
	{StillRunning, "The container's first process is still running.", "Kill it first, or use `delete --force`."},
	{Paused, "The container is paused, and the command would block until it is resumed.", "Run `skiff resume` first."},
	{NotPaused, "The container is not paused.", "Nothing: it is running."},
	{Damaged, "The container's record cannot be read.", "`skiff delete --force` kills and removes the container."},
	{NewerState, "The container was created by a newer version of skiff, in a format that this version does not support.", "Use that version, or `skiff delete --force`."},
	{ProgramNotFound, "The program to run does not exist in the container.", "Check `process.args[0]`, `PATH` in `process.env`, and the root file system."},
	{ProgramUnusable, "The program to run cannot be executed: it is a directory, is not executable for this user, or is for another architecture.", "Check the file's mode, its `#!` line or its architecture, and the options of its mount."},
	{HookFailed, "A hook of config.json failed or timed out.", "The message has the hook's path, its exit status and the end of its output."},
	{Killed, "The process that was being started was killed from outside.", "Find out what killed it: a memory limit, `delete --force`, an administrator."},
	{OutOfMemory, "The kernel killed a process of the container, because a memory limit was reached.", "Raise `linux.resources.memory.limit`, or the limit of a parent cgroup."},
	{TooManyProcesses, "A limit on the number of processes is reached.", "Raise the limit that the message names."},
	{CgroupInUse, "The cgroup already contains processes, or is protected: it is the root cgroup, skiff's own, or a parent of it.", "Use another `linux.cgroupsPath`."},
	{CgroupFrozen, "The cgroup, or a parent of it, is frozen.", "Thaw it: write 0 to the `cgroup.freeze` of the cgroup in the message."},
	{NoCgroup, "The container has no cgroup of its own, or the host lacks the required controller.", "An ordinary user needs a delegated cgroup: `systemd-run --user --scope -p Delegate=yes`."},
	{NoSystemd, "systemd cannot be reached over D-Bus.", "Omit `--systemd-cgroup`, or start the session's D-Bus."},
	{UnitExists, "A systemd unit with the container's name already exists.", "Use another `linux.cgroupsPath`, or stop the unit."},
	{CRIUFailed, "CRIU could not checkpoint or restore the container.", "The message has CRIU's own; its log is in `--work-path`."},
	{IncompleteBuild, "This skiff was built without a required part.", "Build it with `make`."},
	{NoPermission, "The kernel refused an operation.", "The message says which. The reason is often a missing capability, a security module, or a seccomp filter around skiff."},
	{NotFound, "A file or directory does not exist.", "Check the path in `path`."},
	{NoSpace, "A file system is full, or a limit on namespaces, mounts or watches is reached.", "The message names what is full."},
	{NoDescriptors, "A limit on open files is reached.", "Raise the RLIMIT_NOFILE of skiff's caller, or the kernel's `fs.file-max`."},
	{NotSupported, "The kernel or the hardware does not support what was requested.", "docs/KERNELS.md lists the kernel that each feature requires."},
	{OperationFailed, "Something else failed.", "Read the message; `--debug` shows each step."},
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

// phaseOf returns the phase of an error of which no more is known than its code.
func phaseOf(code Code) Phase {
	switch code {
	case Usage, InvalidID:
		return Arguments
	case InvalidConfig:
		return Config
	}
	return Operate
}
