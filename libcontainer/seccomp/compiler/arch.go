// SPDX-License-Identifier: Apache-2.0

//go:build cgo && cparts

package compiler

import (
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
	"golang.org/x/sys/unix"
)

// arch is an ABI, that is a set of system call numbers. Two ABIs may have the same
// AUDIT_ARCH; each then uses a part of the numbers.
type arch struct {
	lib   libseccomp.ScmpArch
	audit uint32 // AUDIT_ARCH_*, as in seccomp_data.arch
	first uint32 // the lowest number
	end   uint32 // the first number beyond the ABI's table; 0 if there is no limit
}

// wide reports whether arguments have 64 bits. An ABI with __AUDIT_ARCH_64BIT and
// 32-bit pointers has 32-bit arguments.
func (a arch) wide() bool {
	const is64bit = 0x80000000
	switch a.lib {
	case libseccomp.ArchX32, libseccomp.ArchMIPS64N32, libseccomp.ArchMIPSEL64N32:
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

// archWords returns the architectures that a profile may name: those of the
// specification that the linked libseccomp supports.
func archWords() []string {
	major, minor, _ := libseccomp.GetLibraryVersion()
	return bpf.ArchsOf(major, minor)
}

func archOf(word specs.Arch) (arch, error) {
	switch word {
	case specs.ArchX86:
		return arch{lib: libseccomp.ArchX86, audit: unix.AUDIT_ARCH_I386}, nil
	case specs.ArchX86_64:
		return arch{lib: libseccomp.ArchAMD64, audit: unix.AUDIT_ARCH_X86_64, end: x32Bit}, nil
	case specs.ArchX32:
		return arch{lib: libseccomp.ArchX32, audit: unix.AUDIT_ARCH_X86_64, first: x32Bit}, nil
	case specs.ArchARM:
		return arch{lib: libseccomp.ArchARM, audit: unix.AUDIT_ARCH_ARM, end: armPrivate}, nil
	case specs.ArchAARCH64:
		return arch{lib: libseccomp.ArchARM64, audit: unix.AUDIT_ARCH_AARCH64}, nil
	case specs.ArchPPC:
		return arch{lib: libseccomp.ArchPPC, audit: unix.AUDIT_ARCH_PPC}, nil
	case specs.ArchPPC64:
		return arch{lib: libseccomp.ArchPPC64, audit: unix.AUDIT_ARCH_PPC64}, nil
	case specs.ArchPPC64LE:
		return arch{lib: libseccomp.ArchPPC64LE, audit: unix.AUDIT_ARCH_PPC64LE}, nil
	case specs.ArchS390:
		return arch{lib: libseccomp.ArchS390, audit: unix.AUDIT_ARCH_S390}, nil
	case specs.ArchS390X:
		return arch{lib: libseccomp.ArchS390X, audit: unix.AUDIT_ARCH_S390X}, nil
	case specs.ArchRISCV64:
		return arch{lib: libseccomp.ArchRISCV64, audit: unix.AUDIT_ARCH_RISCV64}, nil
	case specs.ArchLOONGARCH64:
		return arch{lib: libseccomp.ArchLOONGARCH64, audit: unix.AUDIT_ARCH_LOONGARCH64}, nil
	}
	return rareArch(word)
}

func rareArch(word specs.Arch) (arch, error) {
	switch word {
	case specs.ArchMIPS:
		return arch{lib: libseccomp.ArchMIPS, audit: unix.AUDIT_ARCH_MIPS, first: 4000}, nil
	case specs.ArchMIPS64:
		return arch{lib: libseccomp.ArchMIPS64, audit: unix.AUDIT_ARCH_MIPS64, first: 5000}, nil
	case specs.ArchMIPS64N32:
		return arch{lib: libseccomp.ArchMIPS64N32, audit: unix.AUDIT_ARCH_MIPS64N32, first: 6000}, nil
	case specs.ArchMIPSEL:
		return arch{lib: libseccomp.ArchMIPSEL, audit: unix.AUDIT_ARCH_MIPSEL, first: 4000}, nil
	case specs.ArchMIPSEL64:
		return arch{lib: libseccomp.ArchMIPSEL64, audit: unix.AUDIT_ARCH_MIPSEL64, first: 5000}, nil
	case specs.ArchMIPSEL64N32:
		return arch{lib: libseccomp.ArchMIPSEL64N32, audit: unix.AUDIT_ARCH_MIPSEL64N32, first: 6000}, nil
	case specs.ArchPARISC:
		return arch{lib: libseccomp.ArchPARISC, audit: unix.AUDIT_ARCH_PARISC}, nil
	case specs.ArchPARISC64:
		return arch{lib: libseccomp.ArchPARISC64, audit: unix.AUDIT_ARCH_PARISC64}, nil
	case specs.ArchM68K:
		return arch{lib: libseccomp.ArchM68K, audit: unix.AUDIT_ARCH_M68K}, nil
	case specs.ArchSH:
		return arch{lib: libseccomp.ArchSH, audit: unix.AUDIT_ARCH_SHEL}, nil
	case specs.ArchSHEB:
		return arch{lib: libseccomp.ArchSHEB, audit: unix.AUDIT_ARCH_SH}, nil
	}
	return arch{}, fmt.Errorf("unknown seccomp architecture %q", word)
}

// archs returns the native architecture first, which libseccomp puts into every filter,
// then those of the profile, without duplicates.
func archs(words []specs.Arch) ([]arch, error) {
	native, err := nativeArch()
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

func nativeArch() (arch, error) {
	native, err := libseccomp.GetNativeArch()
	if err != nil {
		return arch{}, fmt.Errorf("seccomp: find the native architecture: %w", err)
	}
	for _, word := range archWords() {
		if a, err := archOf(specs.Arch(word)); err == nil && a.lib == native {
			return a, nil
		}
	}
	return arch{}, fmt.Errorf("seccomp: the runtime specification does not have the native architecture %v", native)
}
