// SPDX-License-Identifier: Apache-2.0

//go:build cgo && cparts

package seccomp

import (
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/compiler"
)

// HasArch agrees with the library.
func TestHasArch(t *testing.T) {
	for _, word := range bpf.Archs {
		_, err := compiler.Compile(&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: []specs.Arch{specs.Arch(word)}})
		has := err == nil || strings.Contains(err.Error(), "byte order") // known, but not possible in a filter for this machine
		if HasArch(word) != has {
			t.Errorf("%s: HasArch says %v, the compiler %v", word, HasArch(word), err)
		}
	}
}

// A profile is the same when it has been sent to the helper.
func TestHelperIsTheCompiler(t *testing.T) {
	for name, p := range map[string]*specs.LinuxSeccomp{
		"default": defaultProfile(t),
		"unknown names": {
			DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{{Names: []string{"x", "y"}, Action: specs.ActAllow}},
		},
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
		if got, err := compile("", p); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: another program, %v", name, err)
		}
	}
}
