// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// Engines look for these phrases in skiff's messages. Whoever changes one of the messages
// breaks them.
func TestPhrases(t *testing.T) {
	describe := func(op program.Operation, field string, m wire.Message) error {
		return program.Entry{Operation: op, Field: field}.Describe(m)
	}
	lookup, exec := program.Lookup{Name: "sh"}, program.Exec{Args: []string{"/bin/sh"}}
	for _, c := range []struct {
		phrase string
		err    error
		engine string // who looks for it, and where
	}{
		{"does not exist", ErrNotExist, "containerd: cmd/containerd-shim-runc-v2/process/utils.go, checkKillError"},
		{"container not running", ErrNotRunning, "containerd: the same"},
		{"no such process", unix.ESRCH, "containerd: the same"},
		{"executable file not found in", describe(lookup, "", wire.Message{Detail: wire.NotFound, Errno: unix.ENOENT}), "podman: libpod/oci_util.go; moby: daemon/errors.go"},
		{"no such file or directory", describe(exec, "process.args[0]", wire.Message{Errno: unix.ENOENT}), "podman, moby: the same"},
		{"is a directory", describe(lookup, "", wire.Message{Detail: wire.IsDir}), "moby: the same"},
		{"permission denied", describe(exec, "process.args[0]", wire.Message{Errno: unix.EACCES}), "podman, moby: the same"},
		{"operation not permitted", describe(exec, "process.args[0]", wire.Message{Errno: unix.EPERM}), "podman: the same"},
		{"not a directory", describe(program.Chdir{Path: "/x"}, "process.cwd", wire.Message{Errno: unix.ENOTDIR}), "moby: the same"},
		{"exec format error", describe(exec, "process.args[0]", wire.Message{Errno: unix.ENOEXEC}), "docker's and podman's tests"},
		{"container with given ID already exists", ErrExist, "runc's own tests"},
		{"container's cgroup is not empty", cgroup.ErrNotEmpty, "runc's own tests"},
		{"container's cgroup unexpectedly frozen", cgroup.ErrFrozen, "runc's own tests"},
		{"container init was OOM-killed", initKilled("", wire.ErrClosed), "runc's own tests; operators' log searches"},
	} {
		if !strings.Contains(c.err.Error(), c.phrase) {
			t.Errorf("%q lacks %q, which matters to %s", c.err, c.phrase, c.engine)
		}
	}
}

// moby's classes of an error, in the order in which it looks for them (daemon/errors.go).
func mobyStatus(message string) int {
	message = strings.ToLower(message)
	for _, phrase := range []string{"permission denied", "is a directory"} {
		if strings.Contains(message, phrase) {
			return 126
		}
	}
	for _, phrase := range []string{"executable file not found", "no such file or directory", "not a directory"} {
		if strings.Contains(message, phrase) {
			return 127
		}
	}
	return 128
}

// A hint behind a message must not have a phrase that makes an engine take the error for
// another one.
func TestHintsAreNoPhrases(t *testing.T) {
	for _, op := range []program.Operation{program.Exec{Args: []string{"/x"}}, program.Lookup{Name: "x"}, program.Chdir{Path: "/x"}} {
		for errno := unix.Errno(1); errno < 134; errno++ {
			err := program.Entry{Operation: op, Field: "process"}.Describe(wire.Message{Errno: errno})
			bare := fault.Brief(err)
			if got, want := mobyStatus(err.Error()), mobyStatus(bare); got != want {
				t.Errorf("%v: %d for the hint, %d without", err, got, want)
			}
			if !errors.Is(err, errno) {
				t.Errorf("%v is not %v", err, errno)
			}
		}
	}
}
