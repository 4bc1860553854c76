// SPDX-License-Identifier: Apache-2.0

package compiler

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// arch is an ABI, that is a set of system call numbers. Two ABIs may have the same
// AUDIT_ARCH; each then uses a part of the numbers.
type arch struct {
	name  string // libseccomp's
	audit uint32 // AUDIT_ARCH_*, as in seccomp_data.arch
	first uint32 // the lowest number
	end   uint32 // the first number beyond the ABI's table; 0 if there is no limit
	// direct says that no calls are made through socketcall(2) or ipc(2).
	direct bool
}

// wide reports whether arguments have 64 bits. An ABI with __AUDIT_ARCH_64BIT and
// 32-bit pointers has 32-bit arguments.
func (a arch) wide() bool {
	const is64bit = 0x80000000
	switch a.name {
	case "x32", "mips64n32", "mipsel64n32":
		return false
	}
	return a.audit&is64bit != 0
}

// x32Bit is set in all x32 numbers (__X32_SYSCALL_BIT); x32 has the AUDIT_ARCH of
// x86-64.
const x32Bit = 0x40000000

// armPrivate is the first number of ARM's private calls (__ARM_NR_BASE: cacheflush,
// set_tls ...). They are far above its table, and their numbers do not show their age.
const armPrivate = 0x0f0000

// archTable has the architectures of the specification.
var archTable = [...]struct {
	word specs.Arch
	arch arch
}{
	{specs.ArchX86, arch{audit: unix.AUDIT_ARCH_I386}},
	{specs.ArchX86_64, arch{audit: unix.AUDIT_ARCH_X86_64, end: x32Bit, direct: true}},
	{specs.ArchX32, arch{audit: unix.AUDIT_ARCH_X86_64, first: x32Bit, direct: true}},
	{specs.ArchARM, arch{audit: unix.AUDIT_ARCH_ARM, end: armPrivate}},
	{specs.ArchAARCH64, arch{audit: unix.AUDIT_ARCH_AARCH64, direct: true}},
	{specs.ArchMIPS, arch{audit: unix.AUDIT_ARCH_MIPS, first: 4000}},
	{specs.ArchMIPS64, arch{audit: unix.AUDIT_ARCH_MIPS64, first: 5000}},
	{specs.ArchMIPS64N32, arch{audit: unix.AUDIT_ARCH_MIPS64N32, first: 6000}},
	{specs.ArchMIPSEL, arch{audit: unix.AUDIT_ARCH_MIPSEL, first: 4000}},
	{specs.ArchMIPSEL64, arch{audit: unix.AUDIT_ARCH_MIPSEL64, first: 5000}},
	{specs.ArchMIPSEL64N32, arch{audit: unix.AUDIT_ARCH_MIPSEL64N32, first: 6000}},
	{specs.ArchPPC, arch{audit: unix.AUDIT_ARCH_PPC}},
	{specs.ArchPPC64, arch{audit: unix.AUDIT_ARCH_PPC64}},
	{specs.ArchPPC64LE, arch{audit: unix.AUDIT_ARCH_PPC64LE}},
	{specs.ArchS390, arch{audit: unix.AUDIT_ARCH_S390}},
	{specs.ArchS390X, arch{audit: unix.AUDIT_ARCH_S390X}},
	{specs.ArchPARISC, arch{audit: unix.AUDIT_ARCH_PARISC}},
	{specs.ArchPARISC64, arch{audit: unix.AUDIT_ARCH_PARISC64}},
	{specs.ArchRISCV64, arch{audit: unix.AUDIT_ARCH_RISCV64, direct: true}},
	{specs.ArchLOONGARCH64, arch{audit: unix.AUDIT_ARCH_LOONGARCH64, direct: true}},
	{specs.ArchM68K, arch{audit: unix.AUDIT_ARCH_M68K}},
	{specs.ArchSH, arch{audit: unix.AUDIT_ARCH_SHEL}},
	{specs.ArchSHEB, arch{audit: unix.AUDIT_ARCH_SH}},
}

// archOf returns the architecture of a word. libseccomp's name of it is the word's end.
func archOf(word specs.Arch) (arch, error) {
	for _, known := range archTable {
		if known.word == word {
			known.arch.name = strings.ToLower(strings.TrimPrefix(string(word), "SCMP_ARCH_"))
			return known.arch, nil
		}
	}
	return arch{}, fmt.Errorf("unknown seccomp architecture %q", word)
}

// archs returns the native architecture first, to which a program for any other falls
// through, then those of the profile, without duplicates.
func archs(words []specs.Arch) ([]arch, error) {
	native, err := nativeArch(runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	list := []arch{native}
	for i, word := range words {
		a, err := archOf(word)
		if err != nil {
			return nil, fmt.Errorf("linux.seccomp.architectures[%d]: %w", i, err)
		}
		if !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list, nil
}

func nativeArch(goarch string) (arch, error) {
	switch goarch {
	case "amd64":
		return archOf(specs.ArchX86_64)
	case "arm64":
		return archOf(specs.ArchAARCH64)
	case "riscv64":
		return archOf(specs.ArchRISCV64)
	}
	return arch{}, fmt.Errorf("seccomp: no filters are made for machines of the kind %s", goarch)
}
