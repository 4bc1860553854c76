// SPDX-License-Identifier: Apache-2.0

package specconv

// compat is a behaviour of other runtimes that the specification does not have, or has
// differently, and that engines or images rely on: a drop-in replacement needs it, too.
type compat struct {
	does  string // what skiff does, as other runtimes do
	spec  string // what the specification says about it
	code  string // where it is done, as in testdata/coverage.txt
	tests string // tests that fail without it, as in testdata/coverage.txt
}

// compatibility is the list of all of them, to which README.md refers. What concerns the
// command line alone is not in it.
var compatibility = [...]compat{
	// The document.
	{
		does:  "keys of config.json match regardless of case",
		spec:  "nothing; JSON keys are case-sensitive (config.md)",
		code:  "specconv/read.go:decodeSpec, specconv/decode.go:fieldFrom",
		tests: "specconv/compile_test.go:TestDecodeKeys",
	},
	{
		does:  "a container without process can be created",
		spec:  "process is only required by start (config.md, \"Process\"); runc wants it at create",
		code:  "specconv/compile.go:launch",
		tests: "process-missing",
	},
	{
		does:  "a hook without env has the runtime's environment outside the container, the process's in startContainer, and an empty one in createContainer",
		spec:  "nothing but POSIX's execve (config.md, \"POSIX-platform Hooks\")",
		code:  "libcontainer/hooks/hooks.go:Add, libcontainer/hooks/hooks.go:run",
		tests: "hook-environment",
	},
	{
		does:  "hooks outside the container run in the bundle's directory, createContainer in the container's root, startContainer in the process's directory",
		spec:  "nothing",
		code:  "libcontainer/hooks/hooks.go:directory, libcontainer/hooks/hooks.go:Add",
		tests: "hook-directory",
	},

	{
		does:  "where a user namespace is joined by path, a mapping of root's id alone, to itself, counts as none",
		spec:  "mappings are for a new user namespace (config-linux.md, \"User namespace mappings\"); podman gives this one where a namespace is joined",
		code:  "specconv/idmaps.go:placeholder",
		tests: "namespaces-path",
	},
	{
		does:  "mappings are accepted for a user namespace that is joined by path, if they are those of the namespace",
		spec:  "mappings are for a new user namespace (config-linux.md, \"User namespace mappings\")",
		code:  "libcontainer/idmap/idmap.go:Check",
		tests: "namespaces-path, libcontainer/idmap/idmap_test.go:TestCheck",
	},
	{
		does:  "an ordinary user's container without cgroupsPath and limits runs in the user's cgroup if it can have none of its own; its device rules are ignored, also by update",
		spec:  "does not mention such a caller",
		code:  "libcontainer/cgroup/path.go:findDelegated, libcontainer/cgroup/limit.go:limitDevices, libcontainer/cgroup/update.go:replaceDevices",
		tests: "rootless, rootless-refused, rootless-delegated",
	},
	{
		does:  "with --cgroup-manager disabled a container stays in the cgroup of skiff's caller; its device rules are ignored, and limits are refused",
		spec:  "does not mention such a manager (config-linux.md, \"Control groups\")",
		code:  "libcontainer/cgroup/group.go:New, libcontainer/cgroup/limit.go:limitDevices",
		tests: "cgroup-disabled",
	},
	{
		does:  "with --systemd-cgroup cgroupsPath is slice:prefix:name, and annotations set properties of the unit",
		spec:  "the runtime may choose how to name cgroups (config-linux.md, \"Cgroups Path\")",
		code:  "specconv/cgroup.go:unit, specconv/cgroup.go:unitProperty",
		tests: "specconv/cgroup_test.go:TestUnit, specconv/cgroup_test.go:TestUnitProperties",
	},
	{
		does:  "if skiff is in a user namespace, an oomScoreAdj that it may not set is ignored",
		spec:  "the value is set (config.md, \"Linux Process\")",
		code:  "libcontainer/launch/order.go:program, program.OOMScore",
		tests: "rootless-nested",
	},
	{
		does:  "in a user namespace the host's sysfs, proc or mqueue is bound if no new one can be mounted, and the host's device nodes are bound if none can be made",
		spec:  "a mount is of the type that is given (config.md, \"Mounts\")",
		code:  "libcontainer/rootfs/mount.go:hostTree, libcontainer/child/src/mount.c:host_tree, libcontainer/child/src/dev.c:host_node",
		tests: "userns-sysfs, rootless-hidden, rootless-nested",
	},

	{
		does:  "the mount options idmap=uids=...;gids=... and ridmap=... give the mappings of a mount",
		spec:  "idmap and ridmap have no value (config.md, \"Linux mount options\"); podman passes on these options of crun",
		code:  "specconv/idmapoption.go:idmapOption",
		tests: "idmap-option, specconv/idmaps_test.go:TestIDMapOption",
	},

	// The process.
	{
		does:  "the umask is 0022 unless it is given",
		spec:  "then it does not change (config.md, \"POSIX-platform User\")",
		code:  "libcontainer/launch/order.go:userAndDirectory",
		tests: "process-umask-default",
	},
	{
		does:  "an exec inherits the container's capabilities, limits, labels, umask, OOM score and scheduling where its process does not set them",
		spec:  "does not mention exec",
		code:  "commands/process.go:inherit",
		tests: "exec-process-own, commands/process_test.go:TestExecProcessInherits",
	},
	{
		does:  "exec --user without a group keeps the container's group",
		spec:  "does not mention exec",
		code:  "commands/user.go:setUser",
		tests: "exec-user-strict",
	},
	{
		does:  "exec starts in the cgroup of the container's first process if no process can be put in the container's cgroup itself",
		spec:  "does not mention exec",
		code:  "libcontainer/launch/spawn.go:clone, libcontainer/cgroup/sub.go:Of",
		tests: "exec-cgroup-busy",
	},
	{
		does:  "if HOME is missing or empty, it is taken from /etc/passwd in the container (its first 10 MiB)",
		spec:  "the environment is env (config.md, \"Process\")",
		code:  "libcontainer/launch/order.go:lookup, program.Home",
		tests: "process-env-home, process-env-home-empty, process-env-home-unknown, process-env-home-huge",
	},
	{
		does:  "a missing working directory is made, even if the root is to be read-only",
		spec:  "nothing",
		code:  "libcontainer/launch/order.go:makeDirectory, program.Chdir",
		tests: "process-cwd-made",
	},
	{
		does:  "of two values for one environment variable the last wins",
		spec:  "both are passed to execve",
		code:  "specconv/process.go:environment",
		tests: "process-env",
	},
	{
		does:  "the process's user becomes the owner of the standard streams",
		spec:  "nothing",
		code:  "libcontainer/cred/cred.go:Become, program.Stdio",
		tests: "process-stdio-owner",
	},
	{
		does:  "the process has a session keyring of the container's own, unless --no-new-keyring is given",
		spec:  "nothing",
		code:  "libcontainer/launch/order.go:program, program.Keyring",
		tests: "process-keyring, exec-keyring",
	},
	{
		does:  "the error for a program that is not found has the words that engines look for",
		spec:  "an error, in any words (runtime.md, \"Errors\")",
		code:  "program.Lookup",
		tests: "process-not-found, process-no-such-file, process-directory",
	},

	{
		does:  "delete accepts a container that was created but not started, and kills its process, without --force",
		spec:  "an error, as it has not stopped (runtime.md, \"Delete\"); buildah and podman rely on it when they could not set up the network",
		code:  "libcontainer/delete.go:mayDelete",
		tests: "delete-created",
	},
	{
		does:  "checkpoint deletes the container, poststop hooks and all, unless --leave-running or --pre-dump is given",
		spec:  "does not mention checkpoint",
		code:  "libcontainer/checkpoint.go:deleteDumped",
		tests: "criu-deletes",
	},
	{
		does:  "mounts add and mounts remove change a running container, with crun's command line; but they only remove mounts that were added, and after an error nothing has changed",
		spec:  "does not mention such an operation",
		code:  "libcontainer/mounts.go:AddMounts, libcontainer/mounts.go:RemoveMounts",
		tests: "mounts-add, mounts-add-hostile, mounts-add-userns, mounts-add-user, criu-mounts-added",
	},
	{
		does:  "restore runs the hooks prestart, createRuntime and poststart",
		spec:  "does not mention restore",
		code:  "libcontainer/restore.go:setUp, libcontainer/restore.go:Restore",
		tests: "criu-network",
	},
	{
		does:  "the annotation org.criu.config names CRIU's configuration file; without it, that is /etc/criu/skiff.conf or else /etc/criu/runc.conf, if there is one",
		spec:  "does not mention checkpoint",
		code:  "specconv/criu.go:CRIUConfig, commands/checkpoint.go:criuConfig",
		tests: "criu-config-file, criu-killed, criu-lazy-lost",
	},

	{
		does:  "if the caller has NOTIFY_SOCKET, the process gets its own socket in /run/notify, whose messages are relayed, without those that would give the manager orders",
		spec:  "nothing",
		code:  "libcontainer/notify/notify.go:With, libcontainer/notify/variables.go:judge",
		tests: "notify-start, notify-foreground, notify-detached, notify-inodes, notify-time",
	},
	{
		does:  "it is only a warning if nobody listens at NOTIFY_SOCKET, or if the manager does not read",
		spec:  "nothing",
		code:  "libcontainer/notify.go:dialNotify, libcontainer/notify/relay.go:giveUp",
		tests: "notify-nobody, notify-deaf",
	},
	{
		does:  "the sockets of LISTEN_FDS are passed on, and the process's LISTEN_PID is its own pid",
		spec:  "it mentions no file descriptors but the standard streams",
		code:  "commands/inherited.go:listenFDs",
		tests: "listen-fds",
	},
	{
		does:  "the annotations run.oci.hooks.stdout and run.oci.hooks.stderr name files to which the output of hooks is appended",
		spec:  "does not mention such annotations",
		code:  "libcontainer/hooks/output.go:OpenOutput, program.Hook",
		tests: "annotation-hooks-output",
	},
	{
		does:  "the annotation run.oci.pidfd_receiver names a socket to which a pidfd of the first process is sent",
		spec:  "does not mention such an annotation",
		code:  "libcontainer/making.go:announceInit",
		tests: "annotation-pidfd",
	},
	{
		does:  "the annotation run.oci.seccomp.receiver names the agent's socket if linux.seccomp.listenerPath does not",
		spec:  "does not mention such an annotation",
		code:  "specconv/seccomp.go:agent",
		tests: "seccomp-receiver, specconv/annotations_test.go:TestSeccompReceiver",
	},
	{
		does:  "the annotation run.oci.seccomp_bpf_data is a filter in place of linux.seccomp",
		spec:  "does not mention such an annotation",
		code:  "specconv/seccomp.go:rawFilter, libcontainer/launch/bind.go:bindFilter",
		tests: "seccomp-raw",
	},
	{
		does:  "annotations that other runtimes act on, but skiff does not, cause a warning; run.oci.handler, which would confine the container more, is an error",
		spec:  "annotations are passed on (config.md, \"Annotations\")",
		code:  "specconv/annotations.go:annotations",
		tests: "specconv/annotations_test.go:TestAnnotations",
	},

	// The tree.
	{
		does:  "a relative destination of a mount is taken from the root, with a warning",
		spec:  "it should be absolute; a relative one is deprecated (config.md, \"Mounts\")",
		code:  "specconv/mounts.go:destination",
		tests: "mount-relative",
	},
	{
		does:  "only file systems that are listed are mounted",
		spec:  "/proc, /sys, /dev/pts and /dev/shm should always be there (config-linux.md, \"Default Filesystems\")",
		code:  "specconv/mounts.go:mounts",
		tests: "mount-only-listed",
	},
	{
		does:  "a missing destination of a mount is made, as a file or a directory like the source",
		spec:  "nothing",
		code:  "libcontainer/rootfs/mount.go:placeOf, program.Attach",
		tests: "mount-destination-made, bind-file",
	},
	{
		does:  "a tmpfs without a mode has the mode of the directory that it hides",
		spec:  "nothing; the kernel's default is 1777",
		code:  "libcontainer/rootfs/mount.go:placeOf, program.Attach",
		tests: "mount-tmpfs-mode",
	},
	{
		does:  "a mount of type cgroup shows the host's version of cgroups; without a cgroup namespace it shows all of v2 and the container's part of v1, and is read-only in a user namespace",
		spec:  "type and options are the kernel's (config.md, \"Mounts\")",
		code:  "libcontainer/rootfs/cgroupfs.go:expandCgroups",
		tests: "mount-cgroup, mount-cgroup-host, userns-cgroup, libcontainer/rootfs/cgroupfs_test.go:TestExpandCgroups",
	},
	{
		does:  "only a proc file system can be mounted on /proc, and below it something only on the files that lxcfs replaces",
		spec:  "nothing",
		code:  "specconv/mounts.go:onProc",
		tests: "security-proc-below, security-proc-tmpfs",
	},
	{
		does:  "masked and read-only paths that do not exist are ignored",
		spec:  "nothing",
		code:  "libcontainer/rootfs/rootfs.go:Seal, program.Mask, program.Readonly",
		tests: "masked-paths, readonly-paths",
	},
	{
		does:  "no devices and no links are made in a bind mount on /dev",
		spec:  "the default devices and links must be there (config-linux.md, \"Default Devices\"; runtime-linux.md)",
		code:  "libcontainer/rootfs/decide.go:decideTree",
		tests: "devices-bound-dev",
	},
	{
		does:  "a device of type u is one of type c",
		spec:  "u is an unbuffered character device (config-linux.md, \"Devices\")",
		code:  "specconv/devices.go:device",
		tests: "devices-added",
	},
	{
		does:  "only the permissions in a device's fileMode count; a file type in it is ignored",
		spec:  "it is the file's mode (config-linux.md, \"Devices\")",
		code:  "specconv/devices.go:device",
		tests: "devices-added",
	},
	{
		does:  "/dev/ptmx is a link to the container's own, even if a device of that name is given",
		spec:  "the device is made (config-linux.md, \"Devices\")",
		code:  "specconv/devices.go:devices, libcontainer/rootfs/dev.go:Devices",
		tests: "devices-added",
	},
	{
		does:  "host name, masked and read-only paths are refused if they would change the host",
		spec:  "nothing",
		code:  "specconv/compile.go:names, specconv/paths.go:insidePaths",
		tests: "hostname, namespaces-no-mount",
	},
	{
		does:  "kernel parameters are set only in namespaces of the container",
		spec:  "nothing",
		code:  "specconv/sysctl.go:sysctl, libcontainer/launch/bind.go:refuseHostSysctl",
		tests: "sysctl-refused, sysctl-host-namespace",
	},
	{
		does:  "a private root is refused with --no-pivot",
		spec:  "nothing",
		code:  "specconv/paths.go:paths",
		tests: "no-pivot",
	},
	{
		does:  "the loopback interface of a new network namespace is up",
		spec:  "nothing",
		code:  "libcontainer/launch/order.go:names, program.LinkUp",
		tests: "namespaces-new",
	},

	{
		does:  "an unbindable mount of the host can be the source of a bind, and contain the rootfs; a recursive bind leaves it out",
		spec:  "nothing; mount_namespaces(7) refuses the bind",
		code:  "libcontainer/rootfs/source.go:openTree, program.Again, libcontainer/launch/spawn.go:open",
		tests: "bind-unbindable",
	},
	{
		does:  "unless a propagation is given, a later mount on the host below a bind's source appears in the container, but not the other way round",
		spec:  "nothing",
		code:  "libcontainer/rootfs/decide.go:decide",
		tests: "bind-propagation-host",
	},
	{
		does:  "an option that contains several, with commas between, is split as by mount(2); an empty one is ignored",
		spec:  "each element is an option (config.md, \"Mounts\")",
		code:  "specconv/fsoptions.go:fsOptions, libcontainer/rootfs/mount.go:needsMount2",
		tests: "mount-option-commas, mount-option-empty, specconv/fsoptions_test.go:TestFSOptions",
	},
	{
		does:  "if an option names a flag, a bind loses the flags of its source that are not named, except access times, and except those that are locked in a user namespace",
		spec:  "nothing about flags that are not named",
		code:  "specconv/bindflags.go:bindFlags, libcontainer/rootfs/attributes.go:loses",
		tests: "bind-flags, specconv/bindflags_test.go:TestBindFlags",
	},
	{
		does:  "if a bind's source is a symlink, copy-symlink copies it, and src-nofollow mounts the symlink itself; dest-nofollow mounts on a symlink at the destination, as in crun",
		spec:  "other options are the file system's (config.md, \"Linux mount options\")",
		code:  "libcontainer/rootfs/decide.go:way, libcontainer/rootfs/source.go:noFollow, libcontainer/rootfs/mount.go:placeOf, program.Symlink, program.Attach",
		tests: "bind-symlinks",
	},
	{
		does:  "a bind with rw whose source is read-only and locked stays read-only, with a warning, as in crun: engines add rw on their own; suid, dev, exec and rrw, which users ask for, are refused there, as in runc",
		spec:  "an error is generated for what cannot be applied (runtime.md, \"Errors\")",
		code:  "libcontainer/rootfs/attributes.go:makesWritable, libcontainer/rootfs/idmapped.go:LockedError, program.SetAttr",
		tests: "rootless-locked",
	},
	{
		does:  "the annotation run.oci.mount_context_type selects the SELinux context option for mountLabel",
		spec:  "annotations are passed on (config.md, \"Annotations\")",
		code:  "specconv/paths.go:mountLabel",
		tests: "lsm-plan",
	},

	{
		does:  "the annotation run.oci.keep_original_groups leaves a process the supplementary groups of skiff's caller, in place of additionalGids",
		spec:  "annotations are passed on (config.md, \"Annotations\")",
		code:  "specconv/keepgroups.go:keepGroups",
		tests: "keep-groups, keep-groups-user",
	},

	// User namespaces.
	{
		does:  "a mapping of root's id alone, to itself, counts as none for a user namespace that is joined",
		spec:  "mappings are for a new user namespace (config-linux.md, \"User namespace mappings\")",
		code:  "specconv/idmaps.go:knownMaps",
		tests: "namespaces-path",
	},
	{
		does:  "if a user namespace cannot mount a new sysfs, proc or mqueue, it has the host's",
		spec:  "an error",
		code:  "libcontainer/rootfs/mount.go:hostTree",
		tests: "userns-sysfs",
	},
	{
		does:  "if the runtime may not make device nodes for a user namespace, the host's are bound, with the host's owner and mode",
		spec:  "nothing",
		code:  "libcontainer/rootfs/stage.go:layNode, program.Mknod",
		tests: "rootless",
	},

	// Cgroups.
	{
		does:  "rules that allow the default devices, terminals, tun and any mknod come after the user's",
		spec:  "the list is complete (config-linux.md, \"Allowed Device list\")",
		code:  "libcontainer/cgroup/devices.go:builtIn",
		tests: "libcontainer/cgroup/devices_test.go:TestDeviceDefaults",
	},
	{
		does:  "the annotation run.oci.delegate-cgroup names a cgroup below the container's, which the container manages and where its processes start; with systemd, run.oci.systemd.subgroup names one below the unit's, which becomes the container's",
		spec:  "does not mention such annotations",
		code:  "specconv/subgroup.go:subgroups",
		tests: "cgroup-delegate, systemd-subgroup",
	},
	{
		does:  "letters in a device rule's access other than r, w and m are ignored",
		spec:  "it consists of these (config-linux.md, \"Allowed Device list\")",
		code:  "libcontainer/cgroup/devices.go:deviceAccess",
		tests: "libcontainer/cgroup/devices_test.go:TestDeviceAccess",
	},
	{
		does:  "a cgroup that has processes in it, or is frozen, is refused",
		spec:  "it may exist already (config-linux.md, \"Cgroups Path\")",
		code:  "libcontainer/cgroup/create.go:checkFree",
		tests: "cgroup-not-empty, libcontainer/cgroup/unified_test.go:TestUnifiedFrozenAbove",
	},
	{
		does:  "a relative cgroupsPath is below the caller's cgroup, on v2 below that one's parent",
		spec:  "the runtime may choose (config-linux.md, \"Cgroups Path\")",
		code:  "libcontainer/cgroup/path.go:resolve",
		tests: "libcontainer/cgroup/path_test.go:TestResolve",
	},
	{
		does:  "a limit of 0 counts as not given, except for pids.limit, which becomes 1",
		spec:  "0 is a value like any other",
		code:  "libcontainer/cgroup/setting.go:addNumber, libcontainer/cgroup/setting_v1.go:pids",
		tests: "libcontainer/cgroup/setting_test.go:TestSettings",
	},
	{
		does:  "values for v1 are converted to v2 with the formulas that all runtimes share; memory.reservation becomes memory.low",
		spec:  "that there is a conversion, but no formula (config-linux.md, \"Unified\")",
		code:  "libcontainer/cgroup/setting_v2.go:cpuWeight, libcontainer/cgroup/setting_v2.go:ioWeight",
		tests: "libcontainer/cgroup/setting_test.go:TestConversionsOfOtherRuntimes",
	},

	{
		does:  "a limit of huge pages also limits their reservations",
		spec:  "nothing (config-linux.md, \"Huge page limits\")",
		code:  "libcontainer/cgroup/setting_v2.go:hugetlb",
		tests: "libcontainer/cgroup/setting_test.go:TestSettings",
	},

	// Seccomp.
	{
		does:  "a filter with SCMP_ACT_NOTIFY is loaded by create, and the startContainer hooks run under it",
		spec:  "nothing; the example of a state for the agent has the status creating (config-linux.md, \"The Container Process State\")",
		code:  "libcontainer/launch/confine.go:loadFilter",
		tests: "seccomp-notify-hook, seccomp-notify",
	},
	{
		does:  "a seccomp rule for a system call that no architecture has is left out with a warning if that allows nothing more; otherwise, or with the annotation run.oci.seccomp_fail_unknown_syscall, it is an error",
		spec:  "nothing about unknown names (config-linux.md, \"Seccomp\"); an error is generated for what cannot be applied (runtime.md, \"Errors\")",
		code:  "libcontainer/seccomp/compiler/compile.go:unknown, libcontainer/launch/bind.go:bindFilter, specconv/seccomp.go:seccomp",
		tests: "seccomp-unknown-names, libcontainer/seccomp/compiler/compile_test.go:TestUnknownNames",
	},
	{
		does:  "SCMP_ACT_NOTIFY is refused for write, and as default action",
		spec:  "allows both",
		code:  "specconv/seccomp.go:syscall, specconv/seccomp.go:seccomp",
		tests: "tests/script/badinput_test.go:TestBadInput",
	},
	{
		does:  "on cgroup v2, an update that only changes memory.limit keeps the amount of swap, so memory.swap changes by as much",
		spec:  "nothing about updates; memory.swap counts memory and swap (config-linux.md, \"Memory\")",
		code:  "libcontainer/cgroup/merge.go:swapAfter",
		tests: "libcontainer/cgroup/update_test.go:TestMerge",
	},
	{
		does:  "the AppArmor profile unconfined is accepted on a host without AppArmor",
		spec:  "nothing",
		code:  "libcontainer/lsm/lsm.go:Check",
		tests: "lsm-missing",
	},
	{
		does:  "a filter without flags has SPEC_ALLOW",
		spec:  "nothing; no flags means none",
		code:  "libcontainer/seccomp/seccomp.go:settings",
		tests: "seccomp-flags",
	},
	{
		does:  "calls that libseccomp does not know are passed over",
		spec:  "nothing",
		code:  "libcontainer/seccomp/compiler/compile.go:addEntry",
		tests: "libcontainer/seccomp/compiler/compile_test.go:TestUnknownNames",
	},
	{
		does:  "system calls that are newer than all those in a profile fail with ENOSYS, so that programs fall back to older ones",
		spec:  "they get the default action",
		code:  "libcontainer/seccomp/compiler/enosys.go:newerThan",
		tests: "libcontainer/seccomp/compiler/compile_test.go:TestArchitectures",
	},
	{
		does:  "conditions of one rule on the same argument are alternatives",
		spec:  "all of them must hold (config-linux.md, \"Seccomp\")",
		code:  "libcontainer/seccomp/compiler/compile.go:conditions",
		tests: "libcontainer/seccomp/compiler/compile_test.go:TestSameArgument",
	},
}
