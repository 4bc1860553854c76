package launch

import (
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

func TestDescribe(t *testing.T) {
	step := func(k plan.Kind, field string, flags uint64, words ...string) plan.Step {
		return plan.Step{Kind: k, Field: field, Flags: flags, Words: words}
	}
	const sysctl = `linux.sysctl["net.x"]`
	for _, c := range []struct {
		step  plan.Step
		errno unix.Errno
		want  string
	}{
		{step(plan.OpFork, "", 0), unix.ENOMEM, "start the container's first process in its pid namespace: cannot allocate memory (the first process of the pid namespace that is joined has ended, or there is no memory)"},
		{step(plan.OpHostname, "hostname", 0, "web"), unix.EPERM, `hostname: set the hostname "web": operation not permitted (CAP_SYS_ADMIN is needed in the user namespace that the uts namespace belongs to)`},
		{step(plan.OpDomain, "domainname", 0, "web"), unix.EPERM, `domainname: set the domain name "web": operation not permitted (CAP_SYS_ADMIN is needed in the user namespace that the uts namespace belongs to)`},
		{step(plan.OpLinkUp, "", 0, "lo"), unix.EPERM, "bring up the interface lo: operation not permitted (CAP_NET_ADMIN is needed in the user namespace that the network namespace belongs to)"},
		{step(plan.OpSetns, "", unix.CLONE_NEWNS|unix.CLONE_NEWPID), unix.ESRCH, "join namespaces (mount|pid): no such process (the container's first process has ended)"},
		{step(plan.OpSetns, "linux.namespaces[6].path", unix.CLONE_NEWUSER), unix.EINVAL, "linux.namespaces[6].path: join namespaces (user): invalid argument (skiff is in that user namespace already: leave the namespace out)"},
		{step(plan.OpUnshare, "linux.namespaces", unix.CLONE_NEWUSER), unix.EUSERS, "linux.namespaces: make namespaces (user): too many users (user namespaces can be nested 32 levels deep)"},
		{step(plan.OpUnshare, "linux.namespaces", unix.CLONE_NEWNET|unix.CLONE_NEWNS), unix.ENOSPC, "linux.namespaces: make namespaces (mount|network): no space left on device (a limit in /proc/sys/user is reached: max_mnt_namespaces or max_net_namespaces)"},
		{step(plan.OpSetID, "process.user", 5), unix.EPERM, "process.user: become user 5 and its group: operation not permitted (CAP_SETUID and CAP_SETGID are needed)"},
		{step(plan.OpSetID, "process.user", 5), unix.EINVAL, "process.user: become user 5 and its group: invalid argument (an id is not mapped in the user namespace)"},
		{step(plan.OpGroups, "process.user.additionalGids", 0), unix.EPERM, "process.user.additionalGids: set the supplementary groups: operation not permitted (CAP_SETGID is needed, or setgroups is denied in the user namespace)"},
		{step(plan.OpGroups, "process.user.additionalGids", 0), unix.EINVAL, "process.user.additionalGids: set the supplementary groups: invalid argument (an id is not mapped in the user namespace)"},
		{step(plan.OpBounding, "process.capabilities.bounding", 0), unix.EPERM, "process.capabilities.bounding: drop capabilities from the bounding set: operation not permitted (CAP_SETPCAP is needed)"},
		{step(plan.OpCaps, "process.capabilities", 0), unix.EPERM, "process.capabilities: set the capabilities: operation not permitted (skiff can give no capability that it does not have)"},
		{step(plan.OpSeccomp, "linux.seccomp", 0), unix.EACCES, "linux.seccomp: load the seccomp filter: permission denied (without process.noNewPrivileges it needs CAP_SYS_ADMIN)"},
		{step(plan.OpMknod, "", 0, "/dev/null"), unix.EPERM, "make the device /dev/null: operation not permitted (CAP_MKNOD is needed, and a device cgroup around skiff has to allow the device)"},
		{step(plan.OpConsole, "process.terminal", 0), unix.ENOENT, "process.terminal: make the terminal: no such file or directory (process.terminal needs a devpts in mounts, on /dev/pts)"},
		{step(plan.OpConsole, "process.terminal", 0), unix.ENOSPC, "process.terminal: make the terminal: no space left on device (there are as many terminals as /proc/sys/kernel/pty/max or the max of the devpts allows)"},
		{step(plan.OpWrite, sysctl, 0, "sys/net/x", "1"), unix.ENOENT, sysctl + `: write "1" to /proc/sys/net/x: no such file or directory (the kernel has no such parameter, or not in this namespace, or its module is not loaded)`},
		{step(plan.OpWrite, sysctl, 0, "sys/net/x", "a"), unix.EINVAL, sysctl + `: write "a" to /proc/sys/net/x: invalid argument (the parameter does not take this value)`},
		{step(plan.OpWrite, sysctl, 0, "sys/net/x", "1"), unix.EACCES, sysctl + `: write "1" to /proc/sys/net/x: permission denied (the parameter cannot be written, or not from this user namespace)`},
		{step(plan.OpExec, "process.args[0]", 0, "sh"), unix.E2BIG, `process.args[0]: exec: "sh": argument list too long (process.args and process.env are longer than the kernel takes: 128 KiB for one string, for all a quarter of RLIMIT_STACK and at most 6 MiB)`},
		{step(plan.OpExec, "process.args[0]", 0, "sh"), unix.EACCES, `process.args[0]: exec: "sh": permission denied (the user may not execute it, or not search its directory, or its file system is mounted noexec)`},
		{step(plan.OpLookup, "process.args[0]", 0, "sh"), unix.EACCES, `exec: "sh": permission denied (the user may not execute it, or not search its directory, or its file system is mounted noexec)`},
		{step(plan.OpKeyring, "", 0, "_ses.web"), unix.EDQUOT, "join the session keyring _ses.web: disk quota exceeded (user 0 has as many keys as /proc/sys/kernel/keys/root_maxkeys allows, or as many bytes in them as root_maxbytes; --no-new-keyring makes none)"},
		{step(plan.OpKeyring, "", 1000, "_ses.web"), unix.EDQUOT, "join the session keyring _ses.web: disk quota exceeded (user 1000 has as many keys as /proc/sys/kernel/keys/maxkeys allows, or as many bytes in them as maxbytes; --no-new-keyring makes none)"},
		{step(plan.OpKeyring, "", unknownOwner, "_ses.web"), unix.EDQUOT, "join the session keyring _ses.web: disk quota exceeded (the container's root has as many keys as /proc/sys/kernel/keys/maxkeys allows, or as many bytes in them as maxbytes; --no-new-keyring makes none)"},
		{step(plan.OpSync, "", 0), unix.EPROTO, "wait for skiff: protocol error"},
		{plan.Step{Field: "process.future", About: "future"}, unix.EPERM, "process.future: future: operation not permitted"},
		{plan.Step{}, unix.ENOMEM, "run the launch program: cannot allocate memory"},
	} {
		if err := describe(c.step, wire.Message{Type: wire.Failed, Errno: c.errno}); err.Error() != c.want {
			t.Errorf("%s, %v:\n%v\nexpected\n%s", c.step.Kind, c.errno, err, c.want)
		}
	}
	failed := wire.Message{Type: wire.Failed, Errno: unix.EPERM, Value: unix.CAP_KILL}
	want := "process.capabilities.ambient: raise the ambient capability CAP_KILL: operation not permitted (each has to be permitted and inheritable, and the securebit SECBIT_NO_CAP_AMBIENT_RAISE not set)"
	if err := describe(step(plan.OpAmbient, "process.capabilities.ambient", 0), failed); err.Error() != want {
		t.Errorf("%v", err)
	}
}

// A filter that has refused a call takes the place of what else it may be, but not
// that of words that engines look for.
func TestRefusedFor(t *testing.T) {
	certain, maybe := sys.Refusal{Words: "a filter forbids it", Certain: true}, sys.Refusal{Words: "a filter forbids it"}
	mount := plan.Step{Kind: plan.OpSetns, Field: "f", Flags: unix.CLONE_NEWNET}
	lookup := plan.Step{Kind: plan.OpLookup, Words: []string{"sh"}}
	for _, c := range []struct {
		r     sys.Refusal
		step  plan.Step
		errno unix.Errno
		want  string
	}{
		{certain, mount, unix.EPERM, "f: join namespaces (network): operation not permitted (a filter forbids it)"},
		{maybe, mount, unix.EPERM, "f: join namespaces (network): operation not permitted (CAP_SYS_ADMIN is needed in the user namespace that it belongs to; an ordinary user can join those of a container that has been started) (or a filter forbids it)"},
		{sys.Refusal{}, mount, unix.EPERM, "f: join namespaces (network): operation not permitted (CAP_SYS_ADMIN is needed in the user namespace that it belongs to; an ordinary user can join those of a container that has been started)"},
		{certain, lookup, unix.ENOSYS, `exec: "sh": function not implemented (a filter forbids it)`},
	} {
		m := wire.Message{Type: wire.Failed, Errno: c.errno, Detail: wire.Refused}
		if err := refusedFor(c.r, c.step, m); err.Error() != c.want {
			t.Errorf("%+v: %v, expected %s", c.r, err, c.want)
		}
	}
}

func TestLimitHint(t *testing.T) {
	for _, c := range []struct {
		resource     int
		hard, nrOpen uint64
		err          error
		want         string
	}{
		{unix.RLIMIT_NOFILE, 2000, 1000, unix.EPERM, " (above /proc/sys/fs/nr_open, 1000)"},
		{unix.RLIMIT_NOFILE, 1000, 1000, unix.EPERM, " (raising a hard limit needs CAP_SYS_RESOURCE)"},
		{unix.RLIMIT_NOFILE, 2000, 0, unix.EPERM, " (raising a hard limit needs CAP_SYS_RESOURCE)"},
		{unix.RLIMIT_CORE, 2000, 1000, unix.EPERM, " (raising a hard limit needs CAP_SYS_RESOURCE)"},
		{unix.RLIMIT_NOFILE, 2000, 1000, unix.EINVAL, ""},
	} {
		if have := limitHint(c.resource, c.hard, c.nrOpen, c.err); have != c.want {
			t.Errorf("%+v: %q", c, have)
		}
	}
}

func TestKilledBy(t *testing.T) {
	for sig, want := range map[int]string{
		11: "SIGSEGV",
		31: "SIGSYS (a seccomp filter around skiff forbids one of its system calls)",
		40: "signal 40",
	} {
		if have := killedBy(sig); have != want {
			t.Errorf("%d: %q, expected %q", sig, have, want)
		}
	}
}
