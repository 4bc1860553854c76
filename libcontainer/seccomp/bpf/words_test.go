// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFlagBit(t *testing.T) {
	for word, want := range map[string]uint{
		"SECCOMP_FILTER_FLAG_TSYNC": 1, "SECCOMP_FILTER_FLAG_LOG": 2, "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4,
		"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		"SECCOMP_FILTER_FLAG_NEW_LISTENER":       0, "": 0, "TSYNC": 0,
	} {
		if bit, ok := FlagBit(word); bit != want || ok != (want != 0) {
			t.Errorf("%q: %#x, %v", word, bit, ok)
		}
	}
	words := FlagWords()
	if len(words) != len(Flags) || words[0] != "SECCOMP_FILTER_FLAG_TSYNC" {
		t.Errorf("%q", words)
	}
}

func TestArchsOf(t *testing.T) {
	for _, c := range []struct {
		major, minor uint
		young        bool
	}{{2, 5, false}, {2, 6, true}, {2, 7, true}, {3, 0, true}, {1, 9, false}} {
		list := ArchsOf(c.major, c.minor)
		if !slices.Contains(list, "SCMP_ARCH_RISCV64") {
			t.Errorf("%d.%d: %q", c.major, c.minor, list)
		}
		for _, word := range []string{"SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB"} {
			if slices.Contains(list, word) != c.young {
				t.Errorf("%d.%d: %q", c.major, c.minor, list)
			}
		}
	}
}
