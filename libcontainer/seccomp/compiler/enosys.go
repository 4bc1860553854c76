//go:build cgo

package compiler

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
	"golang.org/x/sys/unix"
)

// A profile cannot name system calls that are younger than itself. They meet
// its default action, EPERM in most profiles, and EPERM is not what a C library
// expects of a kernel too old for a call: glibc and musl try the older call
// after ENOSYS only. So a new libc in a container with an old profile fails at
// clone3, faccessat2 and whatever comes next.
//
// The remedy is to answer as a kernel of the profile's age would: ENOSYS for
// numbers beyond the newest that the profile names, ABI by ABI, since numbers
// are handed out in order of age. Older calls that the profile leaves out were
// left out on purpose and keep the default action.
//
// libseccomp has no rule for ranges of numbers, so the answer is given by a
// head before its program. A number beyond all that the profile names cannot
// match any of its rules, so it does not matter that the head is first. The
// head jumps to the program's first instruction for everything else; the
// program loads what it needs itself and knows nothing of the head.

// enosysHead returns the head for p, empty where it would change nothing or do
// harm.
func enosysHead(p *specs.LinuxSeccomp, list []arch) ([]unix.SockFilter, error) {
	if !restrictive(p) {
		return nil, nil
	}
	names := mentioned(p)
	var ranges []numberRange
	for _, a := range list {
		last, ok, err := newest(a, names)
		if err != nil {
			return nil, err
		}
		if ok {
			ranges = append(ranges, numberRange{audit: a.audit, last: last, end: a.end})
		}
	}
	return head(ranges), nil
}

// restrictive reports whether unknown calls fail by default, other than with
// ENOSYS. Permissive defaults let the kernel answer ENOSYS itself; a tracer is
// counted as permissive, since it answers in its own way.
func restrictive(p *specs.LinuxSeccomp) bool {
	switch p.DefaultAction {
	case specs.ActErrno:
		return p.DefaultErrnoRet == nil || *p.DefaultErrnoRet != uint(unix.ENOSYS)
	case specs.ActKill, specs.ActKillThread, specs.ActKillProcess, specs.ActTrap:
		return true
	}
	return false
}

// mentioned returns all names of a profile, those of rules without effect too:
// they also tell its age.
func mentioned(p *specs.LinuxSeccomp) map[string]bool {
	names := make(map[string]bool, 512)
	for i := range p.Syscalls {
		for _, name := range p.Syscalls[i].Names {
			names[name] = true
		}
	}
	return names
}

// newest returns the largest number that an ABI has for any of the names; ok
// is false where it has none of them, and then nothing is known of the
// profile's age.
func newest(a arch, names map[string]bool) (last uint32, ok bool, err error) {
	multiplexed := false
	for name := range names {
		n, err := libseccomp.GetSyscallFromNameByArch(name, a.lib)
		switch {
		case err == libseccomp.ErrSyscallDoesNotExist:
		case err != nil:
			return 0, false, fmt.Errorf("seccomp: resolve %s for %v: %w", name, a.lib, err)
		case n < 0:
			multiplexed = multiplexed || isMultiplexed(n)
		case a.end == 0 || uint32(n) < a.end:
			last, ok = max(last, uint32(n)), true
		}
	}
	if multiplexed {
		return newestDirect(a, names, last, ok)
	}
	return last, ok, nil
}

// isMultiplexed reports whether libseccomp's pseudo number stands for a call
// that is made through socketcall(2) or ipc(2), and perhaps by a number of its
// own too. (Other negative numbers are calls that the ABI does not have.)
func isMultiplexed(n libseccomp.ScmpSyscall) bool { return -300 < n && n <= -100 }

// tableSize is above the length of any ABI's table of system calls.
const tableSize = 1024

// newestDirect looks for a number above last whose name is mentioned. By name,
// libseccomp gives a pseudo number for calls such as accept4 on x86, although
// 32-bit x86 got direct numbers for them (359 to 373, Linux 4.3) and rules for
// them match these; by number it knows them.
func newestDirect(a arch, names map[string]bool, last uint32, ok bool) (uint32, bool, error) {
	from := a.first
	if ok {
		from = last + 1
	}
	for n := a.first + tableSize; n > from; n-- {
		name, err := libseccomp.ScmpSyscall(n - 1).GetNameByArch(a.lib)
		if err == nil && names[name] {
			return n - 1, true, nil
		}
	}
	return last, ok, nil
}

// numberRange is the system call numbers of one ABI: those above last and
// below end (0: no end) are newer than the profile.
type numberRange struct {
	audit     uint32
	last, end uint32
}

// Opcodes of classic BPF and offsets in struct seccomp_data.
const (
	opLoad     = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	opJump     = unix.BPF_JMP | unix.BPF_JA
	opEqual    = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opGreater  = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	opNotBelow = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	opReturn   = bpf.Return

	offsetNumber = 0
	offsetArch   = 4
)

// head writes the head:
//
//	A = arch
//	if A != x86_64 goto next             for each AUDIT_ARCH
//	  A = nr
//	  if A > last && A < end return ENOSYS   for each of its ABIs
//	  goto program
//	next:
//	...
//
// What is between two conditional jumps is a few instructions long, so their
// 8-bit offsets always do; "goto program", which may be far, is BPF_JA with
// its 32 bits. Only instructions are used that the kernel's
// seccomp_is_const_allow follows, for its cache of always-allowed calls.
func head(ranges []numberRange) []unix.SockFilter {
	if len(ranges) == 0 {
		return nil
	}
	prog := []unix.SockFilter{{Code: opLoad, K: offsetArch}}
	var exits []int
	for i, r := range ranges {
		if slices.ContainsFunc(ranges[:i], func(o numberRange) bool { return o.audit == r.audit }) {
			continue // done with the first of this AUDIT_ARCH
		}
		block := archBlock(ranges[i:], r.audit)
		prog = append(prog, unix.SockFilter{Code: opEqual, K: r.audit, Jf: uint8(len(block))})
		prog = append(prog, block...)
		exits = append(exits, len(prog)-1)
	}
	for _, at := range exits {
		prog[at].K = uint32(len(prog) - at - 1)
	}
	return prog
}

// archBlock writes the part for one AUDIT_ARCH; its last instruction is the
// jump to the program, with the distance left open.
func archBlock(ranges []numberRange, audit uint32) []unix.SockFilter {
	refuse := unix.SockFilter{Code: opReturn, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)}
	block := []unix.SockFilter{{Code: opLoad, K: offsetNumber}}
	for _, r := range ranges {
		switch {
		case r.audit != audit:
		case r.end == 0:
			block = append(block, unix.SockFilter{Code: opGreater, K: r.last, Jf: 1}, refuse)
		default:
			block = append(block, unix.SockFilter{Code: opGreater, K: r.last, Jf: 2},
				unix.SockFilter{Code: opNotBelow, K: r.end, Jt: 1}, refuse)
		}
	}
	return append(block, unix.SockFilter{Code: opJump})
}

// encode gives the array of struct sock_filter that the kernel reads.
func encode(prog []unix.SockFilter) []byte {
	b := make([]byte, 0, bpf.InsnSize*len(prog))
	for _, in := range prog {
		b = binary.NativeEndian.AppendUint16(b, in.Code)
		b = append(b, in.Jt, in.Jf)
		b = binary.NativeEndian.AppendUint32(b, in.K)
	}
	return b
}
