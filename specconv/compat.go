package specconv

// compat is something that the runtimes of the field do, that the
// specification has otherwise or not at all, and that engines or images count
// on: a drop-in has to do it, too.
type compat struct {
	does  string // what skiff does, as they do
	spec  string // what the specification says of it
	code  string // places, as in testdata/coverage.txt
	tests string // that fail without it, as there
}

// compatibility is the list of them. What is behaviour of the command line
// alone is not in it.
var compatibility = [...]compat{
	// The document.
	{
		does:  "keys of config.json match whatever their case is",
		spec:  "nothing; JSON keys differ by case (config.md)",
		code:  "specconv/read.go:decodeSpec, specconv/decode.go:fieldFrom",
		tests: "specconv/compile_test.go:TestDecodeKeys",
	},
	{
		does:  "a container without process can be created",
		spec:  "process is required by start alone (config.md, \"Process\"); runc wants it at create",
		code:  "specconv/compile.go:launch",
		tests: "process-missing",
	},
	{
		does:  "a hook outside without env has the runtime's environment, startContainer the process's, createContainer none",
		spec:  "nothing but POSIX's execve (config.md, \"POSIX-platform Hooks\")",
		code:  "libcontainer/hooks/hooks.go:Add, libcontainer/hooks/hooks.go:run",
		tests: "hook-environment",
	},
	{
		does:  "hooks outside run in the bundle's directory, createContainer in the container's root, startContainer in the process's directory",
		spec:  "nothing",
		code:  "libcontainer/hooks/hooks.go:directory, libcontainer/hooks/hooks.go:Add",
		tests: "hook-directory",
	},

	{
		does:  "root's id alone, mapped to itself, says nothing of a user namespace that is joined by path",
		spec:  "mappings are of a new user namespace (config-linux.md, \"User namespace mappings\"); podman gives these for one that is joined",
		code:  "specconv/idmaps.go:placeholder",
		tests: "namespaces-path",
	},
	{
		does:  "mappings beside the path of a user namespace are taken if they are what it has",
		spec:  "mappings are of a new user namespace (config-linux.md, \"User namespace mappings\")",
		code:  "libcontainer/idmap/idmap.go:Check",
		tests: "namespaces-path, libcontainer/idmap/idmap_test.go:TestCheck",
	},
	{
		does:  "an ordinary user's container without cgroupsPath and limits runs in the user's cgroup if it can have none of its own; its device rules are passed over, by update too",
		spec:  "knows no such caller",
		code:  "libcontainer/cgroup/path.go:delegatedTo, libcontainer/cgroup/limit.go:limitDevices, libcontainer/cgroup/update.go:devices",
		tests: "rootless, rootless-refused, rootless-delegated",
	},
	{
		does:  "with --cgroup-manager disabled a container runs in its maker's cgroup; its device rules are passed over, limits are refused",
		spec:  "knows no such manager (config-linux.md, \"Control groups\")",
		code:  "libcontainer/cgroup/group.go:New, libcontainer/cgroup/limit.go:limitDevices",
		tests: "cgroup-disabled",
	},
	{
		does:  "with --systemd-cgroup cgroupsPath is slice:prefix:name, and annotations set properties of the unit",
		spec:  "the path may be of the runtime's own form (config-linux.md, \"Cgroups Path\")",
		code:  "specconv/cgroup.go:unit, specconv/cgroup.go:unitProperty",
		tests: "specconv/cgroup_test.go:TestUnit, specconv/cgroup_test.go:TestUnitProperties",
	},
	{
		does:  "oomScoreAdj below what it may be is passed over where skiff is in a user namespace",
		spec:  "the value is set (config.md, \"Linux Process\")",
		code:  "libcontainer/launch/order.go:program, program.OOMScore",
		tests: "rootless-nested",
	},
	{
		does:  "in a user namespace the host's sysfs, proc or mqueue is bound where no new one can be had, and the host's device nodes where none can be made",
		spec:  "a mount is of the type that is given (config.md, \"Mounts\")",
		code:  "libcontainer/rootfs/mount.go:hostTree, libcontainer/child/src/mount.c:host_tree, libcontainer/child/src/dev.c:host_node",
		tests: "userns-sysfs, rootless-hidden, rootless-nested",
	},

	{
		does:  "the mount options idmap=uids=...;gids=... and ridmap=... give the mappings of a mount",
		spec:  "idmap and ridmap have no value (config.md, \"Linux mount options\"); podman passes on crun's",
		code:  "specconv/idmapoption.go:idmapOption",
		tests: "idmap-option, specconv/idmaps_test.go:TestIDMapOption",
	},

	// The process.
	{
		does:  "the umask is 0022 unless it is given",
		spec:  "it is not changed then (config.md, \"POSIX-platform User\")",
		code:  "libcontainer/launch/order.go:userAndDirectory",
		tests: "process-umask-default",
	},
	{
		does:  "an exec has the container's capabilities, limits, labels, umask, score and scheduling where its own process says nothing of them",
		spec:  "knows no exec",
		code:  "commands/process.go:inherit",
		tests: "exec-process-own, commands/process_test.go:TestExecProcessInherits",
	},
	{
		does:  "exec --user without a group keeps the container's group",
		spec:  "knows no exec",
		code:  "commands/user.go:setUser",
		tests: "exec-user-strict",
	},
	{
		does:  "exec goes to the cgroup of the container's first process where the container's own takes none",
		spec:  "knows no exec",
		code:  "libcontainer/launch/spawn.go:clone, libcontainer/cgroup/sub.go:Of",
		tests: "exec-cgroup-busy",
	},
	{
		does:  "HOME is that of /etc/passwd in the container (its first 10 MiB) if it is missing or empty",
		spec:  "the environment is env (config.md, \"Process\")",
		code:  "libcontainer/launch/order.go:lookup, program.Home",
		tests: "process-env-home, process-env-home-empty, process-env-home-unknown, process-env-home-huge",
	},
	{
		does:  "a missing working directory is made, also where the root is to be read-only",
		spec:  "nothing",
		code:  "libcontainer/launch/order.go:makeDirectory, program.Chdir",
		tests: "process-cwd-made",
	},
	{
		does:  "of two values for one environment variable the last wins",
		spec:  "both are there, as execve takes them",
		code:  "specconv/process.go:environment",
		tests: "process-env",
	},
	{
		does:  "the standard streams are given to the process's user",
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
		does:  "a program that is not found is told of in words that engines look for",
		spec:  "an error, in any words (runtime.md, \"Errors\")",
		code:  "program.Lookup",
		tests: "process-not-found, process-no-such-file, process-directory",
	},

	{
		does:  "delete takes a container that is created and was not started, and ends it, without --force",
		spec:  "an error, as it has not stopped (runtime.md, \"Delete\"); buildah and podman leave to it what they could not connect to a network",
		code:  "libcontainer/delete.go:mayDelete",
		tests: "delete-created",
	},
	{
		does:  "checkpoint deletes the container, poststop hooks and all, unless --leave-running or --pre-dump is given",
		spec:  "knows no checkpoint",
		code:  "libcontainer/checkpoint.go:deleteDumped",
		tests: "criu-deletes",
	},
	{
		does:  "mounts add and mounts remove change a container that runs, with the command line of crun's; but what was not added cannot be removed, and an error leaves all as it was",
		spec:  "knows no such operation",
		code:  "libcontainer/mounts.go:AddMounts, libcontainer/mounts.go:RemoveMounts",
		tests: "mounts-add, mounts-add-hostile, mounts-add-userns, mounts-add-user, criu-mounts-added",
	},
	{
		does:  "restore runs the hooks prestart, createRuntime and poststart",
		spec:  "knows no restore",
		code:  "libcontainer/restore.go:setUp, libcontainer/restore.go:Restore",
		tests: "criu-network",
	},
	{
		does:  "the annotation org.criu.config names a configuration of CRIU; without it there may be /etc/criu/skiff.conf, or that for runc",
		spec:  "knows no checkpoint",
		code:  "specconv/criu.go:CRIUConfig, commands/checkpoint.go:criuConfig",
		tests: "criu-config-file, criu-killed, criu-lazy-lost",
	},

	{
		does:  "where the caller has NOTIFY_SOCKET, the process has a socket of its own at /run/notify, whose messages are passed on, without what would be an order to the manager",
		spec:  "nothing",
		code:  "libcontainer/notify/notify.go:Add, libcontainer/notify/variables.go:judge",
		tests: "notify-start, notify-foreground, notify-detached, notify-inodes, notify-time",
	},
	{
		does:  "a NOTIFY_SOCKET at which nobody is, or a manager that reads nothing, is a warning",
		spec:  "nothing",
		code:  "libcontainer/notify.go:dialNotify, libcontainer/notify/relay.go:giveUp",
		tests: "notify-nobody, notify-deaf",
	},
	{
		does:  "sockets of LISTEN_FDS are passed on, as the process's own",
		spec:  "no file descriptors but the standard streams are spoken of",
		code:  "commands/inherited.go:listenFDs",
		tests: "listen-fds",
	},
	{
		does:  "the annotations run.oci.hooks.stdout and run.oci.hooks.stderr name files that what hooks print is appended to",
		spec:  "knows no such annotations",
		code:  "libcontainer/hooks/output.go:OpenOutput, program.Hook",
		tests: "annotation-hooks-output",
	},
	{
		does:  "the annotation run.oci.pidfd_receiver names a socket that a pidfd of the first process is sent to",
		spec:  "knows no such annotation",
		code:  "libcontainer/create.go:announceInit",
		tests: "annotation-pidfd",
	},
	{
		does:  "the annotation run.oci.seccomp.receiver names the agent's socket where linux.seccomp.listenerPath does not",
		spec:  "knows no such annotation",
		code:  "specconv/seccomp.go:agent",
		tests: "seccomp-receiver, specconv/annotations_test.go:TestSeccompReceiver",
	},
	{
		does:  "the annotation run.oci.seccomp_bpf_data is a filter in place of linux.seccomp",
		spec:  "knows no such annotation",
		code:  "specconv/seccomp.go:rawFilter, libcontainer/launch/bind.go:bindFilter",
		tests: "seccomp-raw",
	},
	{
		does:  "annotations that other runtimes act upon, and skiff does not, are warned of; run.oci.handler, which would confine the container more, is an error",
		spec:  "annotations are passed on (config.md, \"Annotations\")",
		code:  "specconv/annotations.go:annotations",
		tests: "specconv/annotations_test.go:TestAnnotations",
	},

	// The tree.
	{
		does:  "a relative destination of a mount is taken from the root, with a warning",
		spec:  "it should be absolute; so it is for 1.0 (config.md, \"Mounts\")",
		code:  "specconv/mounts.go:destination",
		tests: "mount-relative",
	},
	{
		does:  "file systems are mounted if they are listed, and only then",
		spec:  "/proc, /sys, /dev/pts and /dev/shm should always be there (config-linux.md, \"Default Filesystems\")",
		code:  "specconv/mounts.go:mounts",
		tests: "mount-only-listed",
	},
	{
		does:  "a missing destination of a mount is made, a file or a directory as the source is",
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
		does:  "a mount of type cgroup is of the host's version of cgroups; without a cgroup namespace it shows all of v2 and the container's own part of v1, and a user namespace can only read it",
		spec:  "type and options are the kernel's (config.md, \"Mounts\")",
		code:  "libcontainer/rootfs/cgroupfs.go:expandCgroups",
		tests: "mount-cgroup, mount-cgroup-host, userns-cgroup, libcontainer/rootfs/cgroupfs_test.go:TestExpandCgroups",
	},
	{
		does:  "on /proc nothing is mounted but a proc file system, and below it only on the files that lxcfs replaces",
		spec:  "nothing",
		code:  "specconv/mounts.go:onProc",
		tests: "security-proc-below, security-proc-tmpfs",
	},
	{
		does:  "masked and read-only paths that do not exist are passed over",
		spec:  "nothing",
		code:  "libcontainer/rootfs/rootfs.go:Seal, program.Mask, program.Readonly",
		tests: "masked-paths, readonly-paths",
	},
	{
		does:  "a bind mount on /dev brings its own devices: none is made, and no link",
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
		does:  "of a device's fileMode the permissions count, whatever type of file it has in it",
		spec:  "it is the file's mode (config-linux.md, \"Devices\")",
		code:  "specconv/devices.go:device",
		tests: "devices-added",
	},
	{
		does:  "/dev/ptmx is the link to the container's own, also where a device of that name is given",
		spec:  "the device is made (config-linux.md, \"Devices\")",
		code:  "specconv/devices.go:devices, libcontainer/rootfs/dev.go:Devices",
		tests: "devices-added",
	},
	{
		does:  "host name, masked and read-only paths are refused where they would be the host's",
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
		does:  "an unbindable mount of the host's can be the source of a bind, and have the rootfs on it; a recursive bind does not bring it along",
		spec:  "nothing; mount_namespaces(7) refuses the bind",
		code:  "libcontainer/rootfs/source.go:openTree, program.Again, libcontainer/launch/spawn.go:open",
		tests: "bind-unbindable",
	},
	{
		does:  "what is mounted on the host below a bind's source shows up in the container, and nothing the other way, unless a propagation is given",
		spec:  "nothing",
		code:  "libcontainer/rootfs/decide.go:decide",
		tests: "bind-propagation-host",
	},
	{
		does:  "an option that holds several, with commas between, is taken apart as mount(2) does it; an empty one is nothing",
		spec:  "each element is an option (config.md, \"Mounts\")",
		code:  "specconv/fsoptions.go:fsOptions, libcontainer/rootfs/mount.go:needsMount2",
		tests: "mount-option-commas, mount-option-empty, specconv/fsoptions_test.go:TestFSOptions",
	},
	{
		does:  "as soon as one flag is named, a bind loses those of its source's that are not named, but for access times, and but for what is locked for a user namespace",
		spec:  "nothing of flags that are not named",
		code:  "specconv/bindflags.go:bindFlags, libcontainer/rootfs/attributes.go:loses",
		tests: "bind-flags, specconv/bindflags_test.go:TestBindFlags",
	},
	{
		does:  "with copy-symlink a bind's source that is a symlink is made anew; with src-nofollow it is mounted itself; with dest-nofollow a symlink at the destination is mounted on, as with crun",
		spec:  "other options are the file system's (config.md, \"Linux mount options\")",
		code:  "libcontainer/rootfs/decide.go:way, libcontainer/rootfs/source.go:noFollow, libcontainer/rootfs/mount.go:placeOf, program.Symlink, program.Attach",
		tests: "bind-symlinks",
	},
	{
		does:  "a bind with rw whose source is read-only and locked stays read-only, with a warning, as with crun: engines add rw themselves; suid, dev, exec and rrw, which somebody has meant, are refused there, as with runc",
		spec:  "an error is generated for what cannot be applied (runtime.md, \"Errors\")",
		code:  "libcontainer/rootfs/attributes.go:makesWritable, libcontainer/rootfs/idmapped.go:LockedError, program.SetAttr",
		tests: "rootless-locked",
	},
	{
		does:  "the annotation run.oci.mount_context_type says which of SELinux's context options mountLabel is",
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
		does:  "mappings of root's id alone, to the same id, say nothing of a user namespace that is joined",
		spec:  "they are for a new one (config-linux.md, \"User namespace mappings\")",
		code:  "specconv/idmaps.go:knownMaps",
		tests: "namespaces-path",
	},
	{
		does:  "where a user namespace may have no new sysfs, proc or mqueue, it has the host's",
		spec:  "an error",
		code:  "libcontainer/rootfs/mount.go:hostTree",
		tests: "userns-sysfs",
	},
	{
		does:  "in a user namespace of a runtime that may make no device node the host's are bound, with the host's owner and mode",
		spec:  "nothing",
		code:  "libcontainer/rootfs/stage.go:layNode, program.Mknod",
		tests: "rootless",
	},

	// Cgroups.
	{
		does:  "rules that allow the default devices, terminals, tun and any mknod come after the user's",
		spec:  "the list is the whole (config-linux.md, \"Allowed Device list\")",
		code:  "libcontainer/cgroup/devices.go:builtIn",
		tests: "libcontainer/cgroup/devices_test.go:TestDeviceDefaults",
	},
	{
		does:  "the annotation run.oci.delegate-cgroup names a cgroup below the container's for it to manage, where its processes begin, and with systemd run.oci.systemd.subgroup one below the unit's, which it has in its place",
		spec:  "knows no such annotations",
		code:  "specconv/subgroup.go:subgroups",
		tests: "cgroup-delegate, systemd-subgroup",
	},
	{
		does:  "letters in a device rule's access that are not r, w or m are passed over",
		spec:  "it is made of these (config-linux.md, \"Allowed Device list\")",
		code:  "libcontainer/cgroup/devices.go:deviceAccess",
		tests: "libcontainer/cgroup/devices_test.go:TestDeviceAccess",
	},
	{
		does:  "a cgroup that has processes in it, or is frozen, is refused",
		spec:  "it may be there before (config-linux.md, \"Cgroups Path\")",
		code:  "libcontainer/cgroup/create.go:free",
		tests: "cgroup-not-empty, libcontainer/cgroup/unified_test.go:TestUnifiedFrozenAbove",
	},
	{
		does:  "a relative cgroupsPath is below the caller's cgroup, on v2 below that one's parent",
		spec:  "the runtime may choose (config-linux.md, \"Cgroups Path\")",
		code:  "libcontainer/cgroup/path.go:resolve",
		tests: "libcontainer/cgroup/path_test.go:TestResolve",
	},
	{
		does:  "0 in a limit says that it is not given, but for pids.limit, where it is 1, the least that v2 can have",
		spec:  "0 is a value like others",
		code:  "libcontainer/cgroup/setting.go:number, libcontainer/cgroup/setting_v1.go:pids",
		tests: "libcontainer/cgroup/setting_test.go:TestSettings",
	},
	{
		does:  "v1's values become v2's by the formulas that all runtimes share; memory.reservation is memory.low",
		spec:  "a conversion, no formula (config-linux.md, \"Unified\")",
		code:  "libcontainer/cgroup/setting_v2.go:cpuWeight, libcontainer/cgroup/setting_v2.go:ioWeight",
		tests: "libcontainer/cgroup/setting_test.go:TestConversionsOfTheField",
	},

	{
		does:  "a limit of huge pages is one of their reservations, too",
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
		does:  "a seccomp rule for a system call that no architecture has is left out with a warning where nothing is allowed by that; with the annotation run.oci.seccomp_fail_unknown_syscall it is an error as elsewhere",
		spec:  "nothing of unknown names (config-linux.md, \"Seccomp\"); an error is generated for what cannot be applied (runtime.md, \"Errors\")",
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
		does:  "with cgroup v2, the amount of swap stays when an update changes memory.limit alone, so memory.swap moves along",
		spec:  "nothing of updates; memory.swap counts memory and swap (config-linux.md, \"Memory\")",
		code:  "libcontainer/cgroup/merge.go:swapAfter",
		tests: "libcontainer/cgroup/update_test.go:TestMerge",
	},
	{
		does:  "the AppArmor profile unconfined is taken on a host without AppArmor",
		spec:  "nothing",
		code:  "libcontainer/lsm/lsm.go:Check",
		tests: "lsm-missing",
	},
	{
		does:  "a filter without flags has SPEC_ALLOW",
		spec:  "nothing; none is meant",
		code:  "libcontainer/seccomp/seccomp.go:settings",
		tests: "seccomp-flags",
	},
	{
		does:  "calls that libseccomp does not know are passed over",
		spec:  "nothing",
		code:  "libcontainer/seccomp/compiler/compile.go:addName",
		tests: "libcontainer/seccomp/compiler/compile_test.go:TestUnknownNames",
	},
	{
		does:  "calls that are younger than all that a profile names get ENOSYS, so that programs fall back on older ones",
		spec:  "they get the default action",
		code:  "libcontainer/seccomp/compiler/enosys.go:newerThan",
		tests: "libcontainer/seccomp/compiler/compile_test.go:TestArchitectures",
	},
	{
		does:  "conditions of one rule on the same argument are alternatives",
		spec:  "all of them have to hold (config-linux.md, \"Seccomp\")",
		code:  "libcontainer/seccomp/compiler/compile.go:conditions",
		tests: "libcontainer/seccomp/compiler/compile_test.go:TestSameArgument",
	},
}
