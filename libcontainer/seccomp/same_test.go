// SPDX-License-Identifier: Apache-2.0

//go:build cgo && cparts

package seccomp

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/compiler"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/golang"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/library"
)

// HasArch agrees with the library.
func TestHasArch(t *testing.T) {
	for _, word := range bpf.Archs {
		_, err := compiler.Compile(&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: []specs.Arch{specs.Arch(word)}}, golang.Ask)
		has := err == nil || strings.Contains(err.Error(), "byte order") // known, but not possible in a filter for this machine
		if HasArch(word) != has {
			t.Errorf("%s: HasArch says %v, the compiler %v", word, HasArch(word), err)
		}
	}
}

// The helper answers each question as libseccomp's Go package does.
func TestHelperIsTheLibrary(t *testing.T) {
	for name, p := range map[string]*specs.LinuxSeccomp{
		"default":  defaultProfile(t),
		"no rules": {DefaultAction: specs.ActTrace, DefaultErrnoRet: errno(65535)},
		"unknown names": {
			DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{{Names: []string{"x", "y", "", "a\x00b", "read\x00"}, Action: specs.ActAllow}},
		},
		"all fields": {
			DefaultAction: specs.ActErrno, DefaultErrnoRet: errno(0), Architectures: []specs.Arch{specs.ArchX32, specs.ArchX86, specs.ArchARM},
			Syscalls: []specs.LinuxSyscall{{
				Names: []string{"kill", "mount", "kill"}, Action: specs.ActErrno, ErrnoRet: errno(38),
				Args: []specs.LinuxSeccompArg{
					{Index: 1, Value: 1<<64 - 1, ValueTwo: 1<<63 + 1, Op: specs.OpMaskedEqual},
					{Index: 2, Value: 1<<53 + 1, Op: specs.OpGreaterThan},
				},
			}},
		},
		"another byte order": {DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchS390X}},
		"bad rule": {DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchX86}, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read", "accept"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: specs.OpMaskedEqual, Value: 1, ValueTwo: 2}, {Index: 3, Op: specs.OpEqualTo}}},
		}},
	} {
		sameAnswers(t, name, p)
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 100 {
		sameAnswers(t, "random", randomProfile(rnd))
	}
}

func sameAnswers(t *testing.T, name string, p *specs.LinuxSeccomp) {
	t.Helper()
	_, _ = compiler.Compile(p, func(q *library.Question) (*library.Answer, error) {
		want, wantErr := golang.Ask(q)
		var got *library.Answer
		text, err := ask("", q.Encode())
		if err == nil {
			got, err = q.Decode(text)
		}
		var refused, wantRefused *library.Refusal
		switch {
		case errors.As(wantErr, &wantRefused):
			if !errors.As(err, &refused) || *refused != *wantRefused {
				t.Errorf("%s: the helper says %v, libseccomp's Go package %v", name, err, wantErr)
			}
		case wantErr != nil || err != nil:
			t.Errorf("%s: the helper says %v, libseccomp's Go package %v", name, err, wantErr)
		case !reflect.DeepEqual(got, want):
			t.Errorf("%s: the helper and libseccomp's Go package give different answers", name)
		}
		return want, wantErr
	})
}

// randomProfile has names of several machines, some twice, and any action and condition.
func randomProfile(r *rand.Rand) *specs.LinuxSeccomp {
	pick := func(words []string) string { return words[r.IntN(len(words))] }
	names := []string{"nosuchcall", "cacheflush", "riscv_hwprobe", "socketcall", "ipc", "accept4", "semop", "statmount", "clone3"}
	for nr := range int32(300) {
		if name, err := libseccomp.ScmpSyscall(nr).GetNameByArch(libseccomp.ArchAMD64); err == nil {
			names = append(names, name)
		}
	}
	archs := []string{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_MIPSEL64N32"}
	p := &specs.LinuxSeccomp{DefaultAction: specs.LinuxSeccompAction(pick(bpf.Actions[:]))}
	for range r.IntN(4) {
		p.Architectures = append(p.Architectures, specs.Arch(pick(archs)))
	}
	for range r.IntN(80) {
		s := specs.LinuxSyscall{Names: []string{pick(names), pick(names)}, Action: specs.LinuxSeccompAction(pick(bpf.Actions[:]))}
		for range r.IntN(3) {
			s.Args = append(s.Args, specs.LinuxSeccompArg{
				Index: uint(r.IntN(6)), Value: r.Uint64(), ValueTwo: r.Uint64(), Op: specs.LinuxSeccompOperator(pick(bpf.Operators[:])),
			})
		}
		p.Syscalls = append(p.Syscalls, s)
	}
	return p
}
