package program

import (
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

func TestDescribe(t *testing.T) {
	const sysctl = `linux.sysctl["net.x"]`
	for _, c := range []struct {
		entry Entry
		errno unix.Errno
		want  string
	}{
		{Entry{Fork{}, ""}, unix.ENOMEM, "start the container's first process in its pid namespace: cannot allocate memory (the first process of the pid namespace that is joined has ended, or there is no memory)"},
		{Entry{Hostname{Name: "web"}, "hostname"}, unix.EPERM, `hostname: set the hostname "web": operation not permitted (CAP_SYS_ADMIN is needed in the user namespace that the uts namespace belongs to)`},
		{Entry{Domain{Name: "web"}, "domainname"}, unix.EPERM, `domainname: set the domain name "web": operation not permitted (CAP_SYS_ADMIN is needed in the user namespace that the uts namespace belongs to)`},
		{Entry{LinkUp{Interface: "lo"}, ""}, unix.EPERM, "bring up the interface lo: operation not permitted (CAP_NET_ADMIN is needed in the user namespace that the network namespace belongs to)"},
		{Entry{Setns{Namespaces: unix.CLONE_NEWNS | unix.CLONE_NEWPID}, ""}, unix.ESRCH, "join namespaces (mount|pid): no such process (the container's first process has ended)"},
		{Entry{Setns{Namespaces: unix.CLONE_NEWUSER}, "linux.namespaces[6].path"}, unix.EINVAL, "linux.namespaces[6].path: join namespaces (user): invalid argument (skiff is in that user namespace already: leave the namespace out)"},
		{Entry{Unshare{Namespaces: unix.CLONE_NEWUSER}, "linux.namespaces"}, unix.EUSERS, "linux.namespaces: make namespaces (user): too many users (user namespaces can be nested 32 levels deep)"},
		{Entry{Unshare{Namespaces: unix.CLONE_NEWNET | unix.CLONE_NEWNS}, "linux.namespaces"}, unix.ENOSPC, "linux.namespaces: make namespaces (mount|network): no space left on device (a limit in /proc/sys/user is reached: max_mnt_namespaces or max_net_namespaces)"},
		{Entry{SetID{UID: 5}, "process.user"}, unix.EPERM, "process.user: become user 5 and its group: operation not permitted (CAP_SETUID and CAP_SETGID are needed)"},
		{Entry{SetID{UID: 5}, "process.user"}, unix.EINVAL, "process.user: become user 5 and its group: invalid argument (an id is not mapped in the user namespace)"},
		{Entry{Groups{}, "process.user.additionalGids"}, unix.EPERM, "process.user.additionalGids: set the supplementary groups: operation not permitted (CAP_SETGID is needed, or setgroups is denied in the user namespace)"},
		{Entry{Groups{}, "process.user.additionalGids"}, unix.EINVAL, "process.user.additionalGids: set the supplementary groups: invalid argument (an id is not mapped in the user namespace)"},
		{Entry{Bounding{}, "process.capabilities.bounding"}, unix.EPERM, "process.capabilities.bounding: drop capabilities from the bounding set: operation not permitted (CAP_SETPCAP is needed)"},
		{Entry{Caps{}, "process.capabilities"}, unix.EPERM, "process.capabilities: set the capabilities: operation not permitted (skiff can give no capability that it does not have)"},
		{Entry{Seccomp{}, "linux.seccomp"}, unix.EACCES, "linux.seccomp: load the seccomp filter: permission denied (without process.noNewPrivileges it needs CAP_SYS_ADMIN)"},
		{Entry{Mknod{Path: "/dev/null"}, ""}, unix.EPERM, "make the device /dev/null: operation not permitted (CAP_MKNOD is needed, and a device cgroup around skiff has to allow the device)"},
		{Entry{MakeConsole{}, "process.terminal"}, unix.ENOENT, "process.terminal: make the terminal: no such file or directory (process.terminal needs a devpts in mounts, on /dev/pts)"},
		{Entry{MakeConsole{}, "process.terminal"}, unix.ENOSPC, "process.terminal: make the terminal: no space left on device (there are as many terminals as /proc/sys/kernel/pty/max or the max of the devpts allows)"},
		{Entry{Write{Path: "sys/net/x", Value: "1"}, sysctl}, unix.ENOENT, sysctl + `: write "1" to /proc/sys/net/x: no such file or directory (the kernel has no such parameter, or not in this namespace, or its module is not loaded)`},
		{Entry{Write{Path: "sys/net/x", Value: "a"}, sysctl}, unix.EINVAL, sysctl + `: write "a" to /proc/sys/net/x: invalid argument (the parameter does not take this value)`},
		{Entry{Write{Path: "sys/net/x", Value: "1"}, sysctl}, unix.EACCES, sysctl + `: write "1" to /proc/sys/net/x: permission denied (the parameter cannot be written, or not from this user namespace)`},
		{Entry{Exec{Args: []string{"sh"}}, "process.args[0]"}, unix.E2BIG, `process.args[0]: exec: "sh": argument list too long (process.args and process.env are longer than the kernel takes: 128 KiB for one string, for all a quarter of RLIMIT_STACK and at most 6 MiB)`},
		{Entry{Exec{Args: []string{"sh"}}, "process.args[0]"}, unix.EACCES, `process.args[0]: exec: "sh": permission denied (the user may not execute it, or not search its directory, or its file system is mounted noexec)`},
		{Entry{Lookup{Name: "sh"}, "process.args[0]"}, unix.EACCES, `exec: "sh": permission denied (the user may not execute it, or not search its directory, or its file system is mounted noexec)`},
		{Entry{Keyring{Name: "_ses.web", Owner: 0}, ""}, unix.EDQUOT, "join the session keyring _ses.web: disk quota exceeded (user 0 has as many keys as /proc/sys/kernel/keys/root_maxkeys allows, or as many bytes in them as root_maxbytes; --no-new-keyring makes none)"},
		{Entry{Keyring{Name: "_ses.web", Owner: 1000}, ""}, unix.EDQUOT, "join the session keyring _ses.web: disk quota exceeded (user 1000 has as many keys as /proc/sys/kernel/keys/maxkeys allows, or as many bytes in them as maxbytes; --no-new-keyring makes none)"},
		{Entry{Keyring{Name: "_ses.web", Owner: UnknownOwner}, ""}, unix.EDQUOT, "join the session keyring _ses.web: disk quota exceeded (the container's root has as many keys as /proc/sys/kernel/keys/maxkeys allows, or as many bytes in them as maxbytes; --no-new-keyring makes none)"},
		{Entry{Sync{}, ""}, unix.EPROTO, "wait for skiff: protocol error"},
		{new(Program).At(-1), unix.ENOMEM, "run the launch program: cannot allocate memory"},
	} {
		if err := c.entry.Describe(wire.Message{Type: wire.Failed, Errno: c.errno}); err.Error() != c.want {
			t.Errorf("%s, %v:\n%v\nexpected\n%s", c.entry, c.errno, err, c.want)
		}
	}
}
