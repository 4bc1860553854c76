// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// The state file keeps the operations that create leaves to start without flags, and
// with one word at most. Their errors need no more.
func TestLeft(t *testing.T) {
	var met []string
	for _, b := range heldBindings(t) {
		for _, full := range b.left() {
			if name := full.Kind.String(); !slices.Contains(met, name) {
				met = append(met, name)
			}
			kept := program.Step{Kind: full.Kind, Field: full.Field, Words: full.Words[:min(1, len(full.Words))]}
			for errno := unix.Errno(1); errno < 140; errno++ {
				for detail := wire.NoDetail; detail < wire.Refused; detail++ {
					m := wire.Message{Type: wire.Failed, Errno: errno, Detail: detail, Value: 1, Text: "text"}
					if want, got := describe(full.Entry(), m).Error(), describe(kept.Entry(), m).Error(); got != want {
						t.Fatalf("%s, %v, detail %d: %s\nexpected %s", full.Kind, errno, detail, got, want)
					}
				}
			}
		}
	}
	slices.Sort(met)
	if want := []string{"capset", "exec", "files", "hook", "keepfds", "listen", "nonewprivs", "rlimit", "seccomp"}; !slices.Equal(met, want) {
		t.Errorf("operations %q, expected %q", met, want)
	}
}

// heldBindings are created containers that together leave every operation that can be left.
func heldBindings(t *testing.T) (all []*binding) {
	hooks := specs.Hooks{StartContainer: []specs.Hook{{Path: "/bin/hook", Args: []string{"hook", "a"}, Env: []string{"A=b"}}}}
	process := plan.Process{Args: []string{"sh", "-c", ":"}, Env: []string{"PATH=/bin"}, Cwd: "/", Field: "process"}
	confined, limited, empty := process, process, plan.Process{Cwd: "/"}
	confined.NoNewPrivs = true
	limited.Rlimits = []plan.Rlimit{{Name: "RLIMIT_NOFILE", Resource: unix.RLIMIT_NOFILE, Soft: 1, Hard: 1, Field: "process.rlimits[0]"}}
	for _, p := range []plan.Process{process, confined, limited, empty} {
		l := &plan.Launch{ID: "web", Bundle: "/b", Rootfs: plan.Rootfs{Path: "/b/rootfs"}, Hooks: hooks, Process: p, SeccompRaw: []byte("12345678")}
		l.Namespaces = []plan.Namespace{{Field: "linux.namespaces[0]", Type: specs.MountNamespace, Flag: unix.CLONE_NEWNS}}
		b, err := bind(&Request{Launch: l, Hold: true, Preserve: []int{3}, Warn: t.Logf}, Probe())
		if err != nil {
			t.Fatal(err)
		}
		b.prog.Add("", program.Files{})                     // where there are many mounts
		b.prog.Add(b.field("capabilities"), program.Caps{}) // where the caller is privileged
		all = append(all, b)
	}
	return all
}

// The failure of an operation that the state file does not have, as one of another
// version may not, still has the kernel's error.
func TestReleaseWithoutWords(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	for _, m := range [][4]uint32{{uint32(wire.Started)}, {uint32(wire.Failed), 7, uint32(unix.ENOEXEC)}} {
		b := make([]byte, 24)
		for i, n := range m {
			binary.NativeEndian.PutUint32(b[4*i:], n)
		}
		if err := unix.Sendto(pair[1], b, 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	const want = "operation 7 of the launch program, which is not in the state file: exec format error"
	if err := Release(pair[0], 0, nil, 0); err == nil || err.Error() != want {
		t.Errorf("%v, expected %s", err, want)
	}
}
