// SPDX-License-Identifier: Apache-2.0

package script

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/tests/isolate"
)

// badInput is a call of skiff that must fail.
type badInput struct {
	name  string
	patch string   // a JSON merge patch for config.json
	raw   string   // the text of config.json, instead of a patch
	args  []string // arguments of skiff; nil: run --bundle BUNDLE web
	want  string   // the message after the verb; $B is the bundle, $R the state directory
}

func badInputs() []badInput {
	return []badInput{
		// The document.
		{name: "empty file", raw: " ", want: "$B/config.json: line 1, column 1: unexpected end of JSON input"},
		{name: "cut short", raw: `{"ociVersion": "1.0.0",`, want: "$B/config.json: line 1, column 23: unexpected end of JSON input"},
		{name: "no JSON", raw: "ociVersion: 1.0.0", want: "$B/config.json: line 1, column 1: invalid character 'o' looking for beginning of value"},
		{name: "comma", raw: "{\n\t\"ociVersion\": \"1.0.0\",\n}", want: "$B/config.json: line 3, column 1: invalid character '}' looking for beginning of object key string"},
		{name: "garbage behind", raw: "{} x", want: "$B/config.json: line 1, column 4: invalid character 'x' after top-level value"},
		{name: "array", raw: "[]", want: "$B/config.json: the document: got an array, expected an object"},
		{name: "wrong type of version", raw: `{"ociVersion": 1}`, want: "$B/config.json: ociVersion: got a number, expected a string"},
		{name: "string for object", patch: `{"root": "rootfs"}`, want: "$B/config.json: root: got a string, expected an object"},
		{name: "string for array", patch: `{"process": {"args": "sh"}}`, want: "$B/config.json: process.args: got a string, expected an array"},
		{name: "number in array", patch: `{"process": {"args": ["sh", 1]}}`, want: "$B/config.json: process.args[1]: got a number, expected a string"},
		{name: "string for bool", patch: `{"process": {"terminal": "no"}}`, want: "$B/config.json: process.terminal: got a string, expected true or false"},
		{name: "negative id", patch: `{"process": {"user": {"uid": -1}}}`, want: "$B/config.json: process.user.uid: got a number -1, expected a non-negative integer (uint32)"},
		{name: "id too large", patch: `{"process": {"user": {"gid": 4294967296}}}`, want: "$B/config.json: process.user.gid: got a number 4294967296, expected a non-negative integer (uint32)"},
		{name: "NUL", patch: `{"process": {"args": ["sh", "a\u0000b"]}}`, want: `$B/config.json: process.args[1]: "a\x00b" must not contain a NUL byte`},
		{name: "NUL in a key", patch: `{"annotations": {"a\u0000": "b"}}`, want: `$B/config.json: annotations["a\x00"]: "a\x00" must not contain a NUL byte`},

		// The top.
		{name: "no version", patch: `{"ociVersion": null}`, want: "ociVersion: is required"},
		{name: "version", patch: `{"ociVersion": "one"}`, want: `ociVersion: "one" must be a version like 1.3.0`},
		{name: "next version", patch: `{"ociVersion": "2.0.0"}`, want: `ociVersion: "2.0.0" is not supported: must be version 1 of the specification`},
		{name: "no root", patch: `{"root": null}`, want: "root: is required"},
		{name: "empty root", patch: `{"root": {"path": ""}}`, want: "root.path: is required"},
		{name: "root of the host", patch: `{"root": {"path": "/"}}`, want: "root.path: must not be the root directory of the host"},
		{name: "missing root", patch: `{"root": {"path": "nosuch"}}`, want: "root.path: lstat $B/nosuch: no such file or directory"},
		{name: "root is a file", patch: `{"root": {"path": "config.json"}}`, want: "root.path: $B/config.json is not a directory"},
		{name: "empty annotation", patch: `{"annotations": {"": "x"}}`, want: "annotations: keys must not be empty"},
		{name: "hostname too long", patch: `{"hostname": "` + strings.Repeat("x", 65) + `"}`, want: "hostname: must be at most 64 bytes long, not 65"},

		// The process.
		{name: "no args", patch: `{"process": {"args": []}}`, want: "process.args: must not be empty: expected the program to run"},
		{name: "empty program", patch: `{"process": {"args": [""]}}`, want: "process.args[0]: must not be empty: expected the program to run"},
		{name: "no cwd", patch: `{"process": {"cwd": ""}}`, want: "process.cwd: is required"},
		{name: "relative cwd", patch: `{"process": {"cwd": "tmp"}}`, want: `process.cwd: "tmp" must be an absolute path`},
		{name: "env", patch: `{"process": {"env": ["A=1", "B"]}}`, want: `process.env[1]: "B" must be of the form NAME=VALUE`},
		{name: "rlimit", patch: `{"process": {"rlimits": [{"type": "RLIMIT_FOO", "soft": 1, "hard": 1}]}}`, want: `process.rlimits[0].type: unknown resource limit "RLIMIT_FOO": expected a name like RLIMIT_NOFILE`},
		{name: "rlimit twice", patch: `{"process": {"rlimits": [{"type": "RLIMIT_CORE"}, {"type": "RLIMIT_CORE"}]}}`, want: `process.rlimits[1].type: "RLIMIT_CORE" is listed twice`},
		{name: "soft above hard", patch: `{"process": {"rlimits": [{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}]}}`, want: "process.rlimits[0].soft: soft limit 2 must not exceed the hard limit, 1"},
		{name: "oomScoreAdj", patch: `{"process": {"oomScoreAdj": 1001}}`, want: "process.oomScoreAdj: must be between -1000 and 1000, not 1001"},
		{name: "umask", patch: `{"process": {"user": {"umask": 512}}}`, want: "process.user.umask: must be between 0 and 0777, not 01000"},
		{name: "scheduler policy", patch: `{"process": {"scheduler": {"policy": "FIFO"}}}`, want: `process.scheduler.policy: must be one of SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_ISO, SCHED_IDLE, SCHED_DEADLINE, not "FIFO"`},
		{name: "scheduler nice", patch: `{"process": {"scheduler": {"policy": "SCHED_OTHER", "nice": 20}}}`, want: "process.scheduler.nice: must be between -20 and 19, not 20"},
		{name: "scheduler priority", patch: `{"process": {"scheduler": {"policy": "SCHED_RR", "priority": 100}}}`, want: "process.scheduler.priority: must be between 1 and 99 for SCHED_RR, not 100"},
		{name: "scheduler without priority", patch: `{"process": {"scheduler": {"policy": "SCHED_FIFO"}}}`, want: "process.scheduler.priority: must be between 1 and 99 for SCHED_FIFO, not 0"},
		{name: "scheduler priority of nobody", patch: `{"process": {"scheduler": {"policy": "SCHED_IDLE", "priority": 1}}}`, want: "process.scheduler.priority: must be 0 for SCHED_IDLE, not 1: only SCHED_FIFO and SCHED_RR have priorities"},
		{name: "scheduler flag", patch: `{"process": {"scheduler": {"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_KEEP"]}}}`, want: `process.scheduler.flags[0]: must be one of SCHED_FLAG_RESET_ON_FORK, SCHED_FLAG_RECLAIM, SCHED_FLAG_DL_OVERRUN, SCHED_FLAG_KEEP_POLICY, SCHED_FLAG_KEEP_PARAMS, SCHED_FLAG_UTIL_CLAMP_MIN, SCHED_FLAG_UTIL_CLAMP_MAX, not "SCHED_FLAG_KEEP"`},
		{name: "deadline", patch: `{"process": {"scheduler": {"policy": "SCHED_DEADLINE", "runtime": 3000, "deadline": 2000}}}`, want: "process.scheduler.runtime: 3000 ns must not exceed the deadline, 2000 ns"},
		{name: "period", patch: `{"process": {"scheduler": {"policy": "SCHED_DEADLINE", "runtime": 2000, "deadline": 3000, "period": 2500}}}`, want: "process.scheduler.deadline: 3000 ns must not exceed the period, 2500 ns"},
		{name: "period of nobody", patch: `{"process": {"scheduler": {"policy": "SCHED_BATCH", "period": 2500}}}`, want: "process.scheduler: runtime, deadline and period can only be set for SCHED_DEADLINE, not for SCHED_BATCH"},
		{name: "scheduler that Linux lacks", patch: `{"process": {"scheduler": {"policy": "SCHED_ISO"}}}`, want: "process.scheduler: set SCHED_ISO: invalid argument (the kernel does not support this policy or flag)"},
		{name: "I/O class", patch: `{"process": {"ioPriority": {"priority": 1}}}`, want: "process.ioPriority.class: is required: must be one of IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE"},
		{name: "I/O priority", patch: `{"process": {"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": -1}}}`, want: "process.ioPriority.priority: must be between 0 and 7, not -1"},
		{name: "CPU list", patch: `{"process": {"execCPUAffinity": {"initial": "0-", "final": "99999"}}}`, want: `process.execCPUAffinity.initial: "0-" must be a list of numbers and ranges, such as 0-3,7; process.execCPUAffinity.final: "99999": CPU 99999 must not exceed 65535`},

		// linux.
		{name: "personality", patch: `{"linux": {"personality": {"domain": "BSD"}}}`, want: `linux.personality.domain: must be one of LINUX, LINUX32, not "BSD"`},
		{name: "personality flag", patch: `{"linux": {"personality": {"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}}}`, want: `linux.personality.flags[0]: "ADDR_NO_RANDOMIZE" is not supported: no personality flags are defined`},
		{name: "memory policy", patch: `{"linux": {"memoryPolicy": {"mode": "MPOL_FOO"}}}`, want: `linux.memoryPolicy.mode: must be one of MPOL_DEFAULT, MPOL_BIND, MPOL_INTERLEAVE, MPOL_WEIGHTED_INTERLEAVE, MPOL_PREFERRED, MPOL_PREFERRED_MANY, MPOL_LOCAL, not "MPOL_FOO"`},
		{name: "memory policy without nodes", patch: `{"linux": {"memoryPolicy": {"mode": "MPOL_BIND", "nodes": ""}}}`, want: "linux.memoryPolicy.nodes: must not be empty for MPOL_BIND"},
		{name: "memory policy with nodes", patch: `{"linux": {"memoryPolicy": {"mode": "MPOL_LOCAL", "nodes": "0"}}}`, want: "linux.memoryPolicy.nodes: must be empty for MPOL_LOCAL"},
		{name: "memory nodes", patch: `{"linux": {"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "a"}}}`, want: `linux.memoryPolicy.nodes: "a" must be a list of numbers and ranges, such as 0-3,7`},
		{name: "memory policy flags", patch: `{"linux": {"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]}}}`, want: "linux.memoryPolicy.flags: MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES are mutually exclusive"},
		{name: "memory balancing", patch: `{"linux": {"memoryPolicy": {"mode": "MPOL_PREFERRED", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"]}}}`, want: "linux.memoryPolicy.flags: MPOL_F_NUMA_BALANCING can only be used with MPOL_BIND and MPOL_PREFERRED_MANY, not with MPOL_PREFERRED"},
		{name: "namespace", patch: `{"linux": {"namespaces": [{"type": "net"}, {"type": "mount"}, {"type": "uts"}]}}`, want: `linux.namespaces[0].type: must be user, time, ipc, uts, network, pid, cgroup or mount, not "net"`},
		{name: "namespace twice", patch: `{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "uts"}]}}`, want: `linux.namespaces[2].type: "uts" is listed twice`},
		{name: "relative namespace", patch: `{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts", "path": "ns"}]}}`, want: `linux.namespaces[1].path: "ns" must be an absolute path`},
		{name: "missing namespace", patch: `{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts", "path": "/nosuch"}]}}`, want: "linux.namespaces[1].path: open /nosuch: no such file or directory"},
		{name: "user namespace among the host's mounts", patch: `{"linux": {"namespaces": [{"type": "user"}, {"type": "uts"}], "uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 1, "size": 1}], "maskedPaths": null, "readonlyPaths": null}}`, want: "linux.namespaces: a user namespace requires a mount namespace, too: it has no privileges in the host's"},
		{name: "clock", patch: `{"linux": {"namespaces+": [{"type": "time"}], "timeOffsets": {"realtime": {"secs": 1}}}}`, want: `linux.timeOffsets["realtime"]: the clock must be monotonic or boottime`},
		{name: "nanoseconds", patch: `{"linux": {"namespaces+": [{"type": "time"}], "timeOffsets": {"monotonic": {"nanosecs": 1000000000}}}}`, want: `linux.timeOffsets["monotonic"].nanosecs: must be less than 1000000000, not 1000000000`},
		{name: "clocks without namespace", patch: `{"linux": {"timeOffsets": {"monotonic": {"secs": 1}}}}`, want: "linux.timeOffsets: requires a time namespace in linux.namespaces"},
		{name: "half a mapping", patch: `{"mounts": [{"destination": "/m", "type": "bind", "source": ".", "uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}]}`, want: "mounts[0]: uidMappings and gidMappings must both be set, or neither"},
		{name: "overlapping mapping", patch: `{"mounts": [{"destination": "/m", "type": "bind", "source": ".", "gidMappings": [{"containerID": 0, "hostID": 1, "size": 1}], "uidMappings": [{"containerID": 0, "hostID": 1, "size": 2}, {"containerID": 1, "hostID": 5, "size": 1}]}]}`, want: "mounts[0].uidMappings[1].containerID: overlaps with another entry"},
		{name: "idmap of nothing", patch: `{"mounts": [{"destination": "/m", "type": "bind", "source": ".", "options": ["idmap"]}]}`, want: "mounts[0]: idmap requires uidMappings and gidMappings, or a user namespace"},
		{name: "device type", patch: `{"linux": {"devices": [{"path": "/dev/x", "type": "x"}]}}`, want: `linux.devices[0].type: must be c, u, b or p, not "x"`},
		{name: "device number", patch: `{"linux": {"devices": [{"path": "/dev/x", "type": "c", "major": 4096}]}}`, want: "linux.devices[0].major: must be between 0 and 4095, not 4096"},
		{name: "masked path", patch: `{"linux": {"maskedPaths": ["proc/kcore"]}}`, want: `linux.maskedPaths[0]: "proc/kcore" must be an absolute path`},
		{name: "mount label's part", patch: `{"linux": {"mountLabel": "x"}, "annotations": {"run.oci.mount_context_type": "all"}}`, want: `annotations.run.oci.mount_context_type: must be context, fscontext, defcontext or rootcontext, not "all"`},
		{name: "propagation", patch: `{"linux": {"rootfsPropagation": "rw"}}`, want: `linux.rootfsPropagation: must be [r]shared, [r]slave, [r]private or [r]unbindable, not "rw"`},
		{name: "propagation without pivot", patch: `{"linux": {"rootfsPropagation": "rprivate"}}`, args: []string{"run", "--no-pivot", "--bundle", "$B", "web"}, want: `linux.rootfsPropagation: "rprivate" cannot be used with --no-pivot`},
		{name: "seccomp action", patch: `{"linux": {"seccomp": {"defaultAction": "ALLOW"}}}`, want: `linux.seccomp.defaultAction: unknown action "ALLOW": expected one of SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, SCMP_ACT_TRACE, SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY`},
		{name: "seccomp unknown call denied", patch: `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["kill", "Mount"], "action": "SCMP_ACT_KILL"}]}}}`, want: `linux.seccomp.syscalls[0].names[1]: unknown system call "Mount", which the filter could not deny: must be the name of a system call`},
		{name: "seccomp annotation", patch: `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}}, "annotations": {"run.oci.seccomp_fail_unknown_syscall": "maybe"}}`, want: `annotations.run.oci.seccomp_fail_unknown_syscall: must be true or false, not "maybe"`},
		{name: "seccomp argument", patch: `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["kill"], "action": "SCMP_ACT_KILL", "args": [{"index": 6, "op": "SCMP_CMP_EQ"}]}]}}}`, want: "linux.seccomp.syscalls[0].args[0].index: must be between 0 and 5, not 6"},
		{name: "seccomp notify by default", patch: `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/run/agent"}}}`, want: "linux.seccomp.defaultAction: must not be SCMP_ACT_NOTIFY"},
		{name: "seccomp notify without agent", patch: `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}}}`, want: "linux.seccomp.listenerPath: is required, because linux.seccomp.syscalls[0].action is SCMP_ACT_NOTIFY"},
		{name: "seccomp notify for write", patch: `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent", "syscalls": [{"names": ["write"], "action": "SCMP_ACT_NOTIFY"}]}}}`, want: "linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY cannot be used for the write syscall"},
		{name: "seccomp relative agent", patch: `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "agent", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}}}`, want: `linux.seccomp.listenerPath: "agent" must be an absolute path`},
		{name: "seccomp metadata for nobody", patch: `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}}}`, want: "linux.seccomp.listenerMetadata: requires linux.seccomp.listenerPath"},
		{name: "seccomp errno of kill", patch: `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_KILL", "defaultErrnoRet": 1, "syscalls": [{"names": ["kill"], "action": "SCMP_ACT_NOTIFY", "errnoRet": 1}], "listenerPath": "/run/agent"}}}`, want: "linux.seccomp.defaultErrnoRet: cannot be set for action \"SCMP_ACT_KILL\"; linux.seccomp.syscalls[0].errnoRet: cannot be set for action \"SCMP_ACT_NOTIFY\""},
		{name: "seccomp errno", patch: `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096}}}`, want: "linux.seccomp.defaultErrnoRet: must be between 0 and 4095, not 4096"},
		{name: "seccomp flag", patch: `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NEW_LISTENER"]}}}`, want: `linux.seccomp.flags[0]: unknown flag "SECCOMP_FILTER_FLAG_NEW_LISTENER": expected a name like SECCOMP_FILTER_FLAG_LOG`},
		{name: "device rule", patch: `{"linux": {"resources": {"devices": [{"allow": true, "access": ""}]}}}`, want: `linux.resources.devices[0].access: must not be empty`},
		{name: "update: flags", args: []string{"update", "--cpu-share", "-1", "--cpu-idle", "2", "--memory-swap", "1.5x", "--pids-limit", "1k", "--mem-bw-schema", "L3:0=1", "web"},
			want: `--mem-bw-schema "L3:0=1": must begin with MB:; --cpu-share "-1": must be a non-negative integer; --memory-swap "1.5x": must be a number of bytes, optionally with a unit (k, m, g, t or p), or -1; --pids-limit "1k": must be an integer of at least -1; --cpu-idle "2": must be 0 or 1`},
		{name: "update: no file", args: []string{"update", "--resources", "/nosuch", "web"}, want: "--resources: open /nosuch: no such file or directory"},
		{name: "update: no JSON", args: []string{"update", "--resources", "/dev/null", "web"}, want: "--resources /dev/null: line 1, column 1: unexpected end of JSON input"},
		{name: "events: interval", args: []string{"events", "--interval", "5", "web"}, want: `--interval "5": must be a duration greater than 0, such as 5s or 500ms`},
		{name: "events: negative interval", args: []string{"events", "--interval", "-1s", "web"}, want: `--interval "-1s": must be a duration greater than 0, such as 5s or 500ms`},
		{name: "events: no id", args: []string{"events", "--stats"}, want: "too few arguments: got 0; usage: skiff events [OPTION...] CONTAINER-ID"},
		{name: "events: no container", args: []string{"events", "--stats", "web"}, want: `container does not exist: "web" in $R`},
		{name: "ps: options", args: []string{"ps", "--format", "csv", "web"}, want: `--format "csv": must be table or json`},
		{name: "update: no container", args: []string{"update", "--pids-limit", "3", "web"}, want: `container does not exist: "web" in $R`},
		{name: "unified key", patch: `{"linux": {"resources": {"unified": {"../x": "1"}}}}`, want: ""},

		{name: "netDevices without namespace", patch: `{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}], "netDevices": {"eth0": {}}}}`, want: "linux.netDevices: requires a network namespace in linux.namespaces"},
		{name: "netDevices in the host's namespace", patch: `{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "network", "path": "/proc/self/ns/net"}], "netDevices": {"eth0": {}}}}`, want: "linux.netDevices: the container must have a network namespace other than skiff's own"},
		{name: "netDevices missing", patch: `{"linux": {"netDevices": {"nosuch0": {}}}}`, want: `linux.netDevices["nosuch0"]: no such network device in skiff's network namespace: no such device`},
		{name: "netDevices name too long", patch: `{"linux": {"netDevices": {"eth0": {"name": "abcdefghijklmnop"}}}}`, want: `linux.netDevices["eth0"].name: "abcdefghijklmnop" must be at most 15 bytes long, not 16`},
		{name: "netDevices name", patch: `{"linux": {"netDevices": {"eth0": {"name": "a/b"}, "eth1": {"name": ".."}, "": {}, "e%d": {}, "eth2": {"name": "%d%d"}}}}`, want: `linux.netDevices[""]: the name must not be empty; linux.netDevices["e%d"]: "e%d" must not contain %, except for one %d in the name inside the container; linux.netDevices["eth0"].name: "a/b" is not a valid name of a network device; linux.netDevices["eth1"].name: ".." is not a valid name of a network device; linux.netDevices["eth2"].name: "%d%d" must not contain %, except for one %d in the name inside the container`},
		{name: "netDevices name twice", patch: `{"linux": {"netDevices": {"eth0": {"name": "x0"}, "eth1": {"name": "x0"}, "x0": {}, "eth3": {"name": "y%d"}, "eth4": {"name": "y%d"}}}}`, want: `linux.netDevices["eth1"].name: "x0" is already the name of linux.netDevices["eth0"]; linux.netDevices["x0"]: "x0" is already the name of linux.netDevices["eth1"]`},

		{name: "intelRdt without resctrl", patch: `{"linux": {"intelRdt": {"schemata": ["L3:0=f"]}}}`, want: "linux.intelRdt: no resctrl file system is mounted (it requires a processor with RDT, a kernel with CONFIG_X86_CPU_RESCTRL, and: mount -t resctrl resctrl /sys/fs/resctrl)"},
		{name: "intelRdt closID", patch: `{"linux": {"intelRdt": {"closID": "a/b"}}}`, want: `linux.intelRdt.closID: "a/b" must be a name without slashes, or / for the default class`},
		{name: "intelRdt", patch: `{"linux": {"intelRdt": {"closID": "info", "memBwSchema": "L3:0=f\nx", "schemata": ["L3:0=f", "", "a\nb"]}}}`, want: `linux.intelRdt.closID: "info" is reserved, and cannot be the name of a class of service; linux.intelRdt.memBwSchema: "L3:0=f\nx" must begin with MB:; linux.intelRdt.memBwSchema: "L3:0=f\nx" must not contain a newline; linux.intelRdt.schemata[1]: must not be empty; linux.intelRdt.schemata[2]: "a\nb" must not contain a newline`},

		// Mounts and hooks.
		{name: "no destination", patch: `{"mounts": [{"type": "tmpfs"}]}`, want: "mounts[0].destination: is required"},
		{name: "mount on root", patch: `{"mounts": [{"destination": "/", "type": "tmpfs"}]}`, want: "mounts[0].destination: must not be the container's root directory, which root.path sets"},
		{name: "no type", patch: `{"mounts": [{"destination": "/m"}]}`, want: "mounts[0].type: is required unless it is a bind mount"},
		{name: "no source", patch: `{"mounts": [{"destination": "/m", "type": "bind"}]}`, want: "mounts[0].source: is required for a bind mount"},
		{name: "file system", patch: `{"mounts": [{"destination": "/tmp", "type": "nosuchfs"}]}`, want: "mounts[0]: mount nosuchfs on /tmp: no such device (the kernel does not support this file system, or its module is not loaded)"},
		{name: "mount option", patch: `{"mounts": [{"destination": "/tmp", "type": "tmpfs", "options": ["size=x"]}]}`, want: "mounts[0]: mount tmpfs on /tmp (size=x): invalid argument (tmpfs: Bad value for 'size')"},
		{name: "hook path", patch: `{"hooks": {"poststop": [{"path": "true"}]}}`, want: `hooks.poststop[0].path: "true" must be an absolute path`},
		{name: "hook timeout", patch: `{"hooks": {"prestart": [{"path": "/bin/true", "timeout": 0}]}}`, want: "hooks.prestart[0].timeout: must be at least 1 second, not 0"},
		{name: "hook missing", patch: `{"hooks": {"createContainer": [{"path": "/nosuch"}]}}`, want: "hooks.createContainer[0]: /nosuch: exit status 127 (the program may not exist)"},

		// Several at once.
		{name: "all together", patch: `{"ociVersion": "x", "process": {"cwd": "x", "env": ["B"]}, "mounts": [{"type": "tmpfs"}]}`, want: `ociVersion: "x" must be a version like 1.3.0; mounts[0].destination: is required; process.cwd: "x" must be an absolute path; process.env[0]: "B" must be of the form NAME=VALUE`},

		// Arguments.
		{name: "id", args: []string{"run", "--bundle", "$B", "a/b"}, want: `invalid container ID format: "a/b": only letters, digits and _+.- are allowed`},
		{name: "dots", args: []string{"run", "--bundle", "$B", ".."}, want: `invalid container ID format: "..": must not be "." or ".."`},
		{name: "no id", args: []string{"run", "--bundle", "$B"}, want: "too few arguments: got 0; usage: skiff run [OPTION...] CONTAINER-ID"},
		{name: "two ids", args: []string{"run", "--bundle", "$B", "a", "b"}, want: "too many arguments: [\"a\" \"b\"]; usage: skiff run [OPTION...] CONTAINER-ID"},
		{name: "no bundle", args: []string{"run", "--bundle", "$B/nosuch", "web"}, want: "--bundle: the bundle directory is missing: stat $B/nosuch: no such file or directory"},
		{name: "unknown flag", args: []string{"run", "--nosuch", "web"}, want: "flag provided but not defined: -nosuch"},
		{name: "checkpoint of nothing", args: []string{"checkpoint", "web"}, want: `container does not exist: "web" in $R`},
		{name: "restore of nothing", args: []string{"restore", "--bundle", "$B", "--image-path", "$B", "web"}, want: "--image-path: open $B/descriptors.json: no such file or directory (the directory may not contain a complete checkpoint)"},
		{name: "cgroups mode", args: []string{"restore", "--bundle", "$B", "--manage-cgroups-mode", "x", "web"}, want: `--manage-cgroups-mode "x": must be soft, full, strict or ignore`},
		{name: "empty namespace", args: []string{"restore", "--bundle", "$B", "--empty-ns", "ipc", "web"}, want: `--empty-ns "ipc": must be network`},
		{name: "label", args: []string{"restore", "--bundle", "$B", "--lsm-profile", "x", "web"}, want: `--lsm-profile "x": must be apparmor:NAME or selinux:LABEL`},
		{name: "start of nothing", args: []string{"start", "web"}, want: `container does not exist: "web" in $R`},
		{name: "console socket", patch: `{"process": {"terminal": true}}`, args: []string{"create", "--bundle", "$B", "web"}, want: "cannot allocate tty if skiff will detach without setting console socket (use --console-socket)"},
	}
}

// Each bad input gives one line with the error and a non-zero exit status, and leaves
// nothing behind.
func TestBadInput(t *testing.T) {
	isolate.Require(t)
	for _, b := range badInputs() {
		t.Run(b.name, func(t *testing.T) { b.test(t) })
	}
}

func (b *badInput) test(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(dir, "script-badinput")
	t.Cleanup(func() {
		if err := w.remove(); err != nil {
			t.Error(err)
		}
	})
	bundle := filepath.Join(dir, "b")
	b.bundle(t, w, bundle)
	args := b.args
	if args == nil {
		args = []string{"run", "--bundle", "$B", "web"}
	}
	var real []string
	for _, a := range args {
		real = append(real, strings.ReplaceAll(a, "$B", bundle))
	}
	r, err := w.run(dir, os.Environ(), append([]string{"--log", dir + "/.log", "--log-format", "json"}, real...)...)
	if err != nil {
		t.Fatal(err)
	}
	if r.code == 0 {
		t.Error("exit status 0")
	}
	text, err := os.ReadFile(dir + "/.log")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n != 1 {
		t.Errorf("%d lines of log, expected 1:\n%s", n, text)
	}
	var record struct{ Msg string }
	if err := json.Unmarshal(text, &record); err != nil {
		t.Fatalf("log %q: %v", text, err)
	}
	want := args[0] + ": " + strings.NewReplacer("$B", bundle, "$R", w.root).Replace(b.want)
	if record.Msg != want && (b.want != "" || !strings.HasPrefix(record.Msg, "run: linux.resources.unified")) {
		t.Errorf("message\n%q\nexpected\n%q", record.Msg, want)
	}
	left, err := w.leftovers()
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func (b *badInput) bundle(t *testing.T, w *world, dir string) {
	if err := fillRootfs(dir + "/rootfs"); err != nil {
		t.Fatal(err)
	}
	base, err := w.spec(dir)
	if err != nil {
		t.Fatal(err)
	}
	config := dir + "/config.json"
	if b.raw != "" {
		if err := os.WriteFile(config, []byte(b.raw), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	base["process"].(map[string]any)["args"] = []any{"true"}
	if err := patchFile(config, base); err != nil {
		t.Fatal(err)
	}
	if b.patch != "" {
		if err := patchText(config, b.patch); err != nil {
			t.Fatal(err)
		}
	}
}
