//go:build cgo

package seccomp

import (
	"bytes"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/compiler"
)

// A profile loses nothing on its way to the helper.
func TestHelperIsTheCompiler(t *testing.T) {
	for name, p := range map[string]*specs.LinuxSeccomp{
		"default": defaultProfile(t),
		"all fields": {
			DefaultAction: specs.ActErrno, DefaultErrnoRet: errno(0), Architectures: []specs.Arch{specs.ArchX32, specs.ArchX86},
			Syscalls: []specs.LinuxSyscall{{
				Names: []string{"kill", "mount"}, Action: specs.ActErrno, ErrnoRet: errno(38),
				Args: []specs.LinuxSeccompArg{
					{Index: 1, Value: 1<<64 - 1, ValueTwo: 1<<63 + 1, Op: specs.OpMaskedEqual},
					{Index: 2, Value: 1<<53 + 1, Op: specs.OpGreaterThan},
				},
			}},
		},
	} {
		want, err := compiler.Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := compile("", p); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: another program, %v", name, err)
		}
	}
}
