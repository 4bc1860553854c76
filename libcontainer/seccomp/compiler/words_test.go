// SPDX-License-Identifier: Apache-2.0

//go:build cgo && cparts

package compiler

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
)

// Each word that a profile may have is known, and no two have the same meaning.
func TestWords(t *testing.T) {
	actions, operators, archs := make(map[any]string), make(map[any]string), make(map[any]string)
	differs := func(seen map[any]string, value any, word string, err error) {
		if err != nil {
			t.Errorf("%s: %v", word, err)
		}
		if other, there := seen[value]; there {
			t.Errorf("%s is %s", word, other)
		}
		seen[value] = word
	}
	for _, word := range bpf.Actions {
		if word == "SCMP_ACT_KILL" { // the old name of SCMP_ACT_KILL_THREAD
			continue
		}
		v, err := action(specs.LinuxSeccompAction(word))
		differs(actions, v, word, err)
	}
	for _, word := range bpf.Operators {
		v, err := operator(specs.LinuxSeccompOperator(word))
		differs(operators, v, word, err)
	}
	for _, word := range bpf.Archs {
		v, err := archOf(specs.Arch(word))
		differs(archs, v.name, word, err)
	}
	for _, word := range []string{"", "SCMP_ACT_NOSUCH", "SCMP_CMP_NOSUCH", "SCMP_ARCH_NOSUCH", "errno"} {
		if v, err := action(specs.LinuxSeccompAction(word)); err == nil {
			t.Errorf("action %q: %v", word, v)
		}
		if v, err := operator(specs.LinuxSeccompOperator(word)); err == nil {
			t.Errorf("operator %q: %v", word, v)
		}
		if v, err := archOf(specs.Arch(word)); err == nil {
			t.Errorf("architecture %q: %v", word, v)
		}
	}
}
