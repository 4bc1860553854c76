// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// A filter that has refused a call replaces the hints about other reasons, but not
// the words that engines look for.
func TestRefusedFor(t *testing.T) {
	certain, maybe := sys.Refusal{Words: "a filter forbids it", Certain: true}, sys.Refusal{Words: "a filter forbids it"}
	mount := program.Entry{Operation: program.Setns{Namespaces: unix.CLONE_NEWNET}, Field: "f"}
	lookup := program.Entry{Operation: program.Lookup{Name: "sh"}}
	for _, c := range []struct {
		r     sys.Refusal
		entry program.Entry
		errno unix.Errno
		want  string
	}{
		{certain, mount, unix.EPERM, "f: join namespaces (network): operation not permitted (a filter forbids it)"},
		{maybe, mount, unix.EPERM, "f: join namespaces (network): operation not permitted (this requires CAP_SYS_ADMIN in the user namespace that owns the namespace; an ordinary user can join the namespaces of a container that has been started) (perhaps a filter forbids it)"},
		{sys.Refusal{}, mount, unix.EPERM, "f: join namespaces (network): operation not permitted (this requires CAP_SYS_ADMIN in the user namespace that owns the namespace; an ordinary user can join the namespaces of a container that has been started)"},
		{certain, lookup, unix.ENOSYS, `exec: "sh": function not implemented (a filter forbids it)`},
	} {
		m := wire.Message{Type: wire.Failed, Errno: c.errno, Detail: wire.Refused}
		if err := refusedFor(c.r, c.entry, m); err.Error() != c.want {
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
		{unix.RLIMIT_NOFILE, 2000, 1000, unix.EPERM, "it must not exceed /proc/sys/fs/nr_open, which is 1000"},
		{unix.RLIMIT_NOFILE, 1000, 1000, unix.EPERM, raisesHard},
		{unix.RLIMIT_NOFILE, 2000, 0, unix.EPERM, raisesHard},
		{unix.RLIMIT_CORE, 2000, 1000, unix.EPERM, raisesHard},
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
