package specconv

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// What is wrong with namespaces, clocks and mappings.
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
		"ordinary user": {func(*specs.Spec) {}, true, "linux.namespaces: a user namespace is needed"},
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
		}, false, "linux.timeOffsets: cannot be changed in a time namespace that is joined by path"},
		"mapped tmpfs": {func(s *specs.Spec) { s.Mounts[3].UIDMappings, s.Mounts[3].GIDMappings = one, one }, false, ""},
		"mapped remount": {func(s *specs.Spec) {
			s.Mounts[3].Options = []string{"remount"}
			s.Mounts[3].UIDMappings, s.Mounts[3].GIDMappings = one, one
		}, false, "mounts[3]: a remount cannot be idmapped"},
		"half": {func(s *specs.Spec) { s.Mounts[3].UIDMappings = one }, false, "mounts[3]: uidMappings and gidMappings must both be given"},
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

// What `spec --rootless` writes is an ordinary user's, as it is.
func TestExampleRootless(t *testing.T) {
	o := options
	o.Rootless = true
	if _, warnings, err := Compile(Example(true), o); err != nil || len(warnings) > 0 {
		t.Errorf("%v, %v", warnings, err)
	}
}
