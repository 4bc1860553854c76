// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Errors of namespaces, clocks and mappings.
func TestUserNamespaceFaults(t *testing.T) {
	one := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 1}}
	root := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 0, Size: 1}}
	ns := func(s *specs.Spec, t specs.LinuxNamespaceType, path string) {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: t, Path: path})
	}
	for name, test := range map[string]struct {
		change   func(*specs.Spec)
		rootless bool
		want     string
	}{
		"ordinary user": {func(*specs.Spec) {}, true, "linux.namespaces: must include a user namespace"},
		"ordinary user with one": {func(s *specs.Spec) {
			ns(s, specs.UserNamespace, "")
			s.Linux.UIDMappings, s.Linux.GIDMappings = one, one
		}, true, ""},
		"joined": {func(s *specs.Spec) { ns(s, specs.UserNamespace, "/x") }, true, ""},
		"joined, with mappings": {func(s *specs.Spec) {
			ns(s, specs.UserNamespace, "/x")
			s.Linux.UIDMappings, s.Linux.GIDMappings = one, one
			s.Process.User.UID = 5
		}, false, "process.user.uid: 5 is not mapped in linux.uidMappings"},
		"joined, with podman's placeholder": {func(s *specs.Spec) {
			ns(s, specs.UserNamespace, "/x")
			s.Linux.UIDMappings, s.Linux.GIDMappings = root, root
			s.Process.User.UID = 5
		}, false, ""},
		"no mappings": {func(s *specs.Spec) { ns(s, specs.UserNamespace, "") }, false, "linux.uidMappings: is required for a new user namespace"},
		"clock": {func(s *specs.Spec) {
			ns(s, specs.TimeNamespace, "")
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"tai": {}}
		}, false, `linux.timeOffsets["tai"]: the clock must be monotonic or boottime`},
		"clocks of another": {func(s *specs.Spec) {
			ns(s, specs.TimeNamespace, "/x")
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {}}
		}, false, "linux.timeOffsets: cannot be set in an existing time namespace, which is joined by path"},
		"mapped tmpfs": {func(s *specs.Spec) { s.Mounts[3].UIDMappings, s.Mounts[3].GIDMappings = one, one }, false, ""},
		"mapped remount": {func(s *specs.Spec) {
			s.Mounts[3].Options = []string{"remount"}
			s.Mounts[3].UIDMappings, s.Mounts[3].GIDMappings = one, one
		}, false, "mounts[3]: a remount cannot be idmapped"},
		"half": {func(s *specs.Spec) { s.Mounts[3].UIDMappings = one }, false, "mounts[3]: uidMappings and gidMappings must both be set"},
	} {
		s := Example(false)
		test.change(s)
		o := options
		o.Rootless = test.rootless
		_, _, err := Compile(s, o)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)):
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
}

func TestIDMapOption(t *testing.T) {
	for option, want := range map[string]string{
		"idmap=uids=0-7-1;gids=0-8-2#5-6-1": "[{0 7 1}] [{0 8 2} {5 6 1}] false",
		"ridmap=uids=@0-5-10;gids=@0-0-1":   "[{0 1005 10}] [{0 2000 1}] true",
		"idmap=uids=@0-5-10000;gids=0-0-1":  `mounts[0].options[1]: "@0-5-10000" must be FIRST-HOST-SIZE`,
		"idmap=uids=0-5;gids=0-0-1":         `mounts[0].options[1]: "0-5" must be FIRST-HOST-SIZE`,
		"idmap=uids=0-5-1":                  `mounts[0].options[1]: "idmap=uids=0-5-1": uids and gids must both be given`,
		"idmap=users=0-5-1":                 `mounts[0].options[1]: "idmap=users=0-5-1" must consist of uids=... and gids=..., separated by a semicolon`,
		"idmap=uids=0-5-0;gids=0-0-1":       "mounts[0].options[1][0].size: must not be 0",
	} {
		s := Example(true)
		s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 100}}
		s.Linux.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 2000, Size: 100}}
		s.Mounts = []specs.Mount{{Destination: "/m", Source: "/m", Options: []string{"bind", option}}}
		l, _, err := Compile(s, options)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			m := l.Rootfs.Mounts[0].IDMap
			got = fmt.Sprint(m.UID, m.GID, m.Recursive)
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", option, got, want)
		}
	}
}

// An ordinary user can use what `spec --rootless` writes, without changes.
func TestExampleRootless(t *testing.T) {
	o := options
	o.Rootless = true
	if _, warnings, err := Compile(Example(true), o); err != nil || len(warnings) > 0 {
		t.Errorf("%v, %v", warnings, err)
	}
}
