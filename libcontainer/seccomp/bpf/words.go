// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"slices"

	"golang.org/x/sys/unix"
)

// The words that a profile may have (config-linux.md, "Seccomp"), for the check of a
// profile, the compiler, and the list of supported features.
var (
	Actions = [...]string{
		"SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP", "SCMP_ACT_ERRNO",
		"SCMP_ACT_TRACE", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY",
	}
	Operators = [...]string{
		"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ",
	}
	Archs = [...]string{
		"SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS",
		"SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32",
		"SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_PARISC",
		"SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB",
	}
	Flags = [...]Flag{
		{"SECCOMP_FILTER_FLAG_TSYNC", unix.SECCOMP_FILTER_FLAG_TSYNC},
		{"SECCOMP_FILTER_FLAG_LOG", unix.SECCOMP_FILTER_FLAG_LOG},
		{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW},
		{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
	}
)

// Flag is a flag of seccomp(2) that a profile may name.
type Flag struct {
	Word string
	Bit  uint
}

// FlagBit returns the bit of a flag; ok is false if word is not one of Flags.
func FlagBit(word string) (bit uint, ok bool) {
	for _, f := range Flags {
		if f.Word == word {
			return f.Bit, true
		}
	}
	return 0, false
}

// FlagWords returns the words of all Flags.
func FlagWords() (words []string) {
	for _, f := range Flags {
		words = append(words, f.Word)
	}
	return words
}

// firstOf26 is the first architecture in Archs that needs libseccomp 2.6. Those before
// it are in the oldest version that filters can be compiled with.
const firstOf26 = "SCMP_ARCH_LOONGARCH64"

// ArchsOf returns the architectures that a version of libseccomp supports.
func ArchsOf(major, minor uint) []string {
	if major > 2 || major == 2 && minor >= 6 {
		return Archs[:]
	}
	return Archs[:slices.Index(Archs[:], firstOf26)]
}
