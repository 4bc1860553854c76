// SPDX-License-Identifier: Apache-2.0

//go:build cgo && cparts

package compiler

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/golang"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/library"
	"golang.org/x/sys/unix"
)

// defaultProfile returns a profile like the engines' default one, in size and shape.
func defaultProfile(t testing.TB) *specs.LinuxSeccomp {
	t.Helper()
	data, err := os.ReadFile("testdata/default.json")
	if err != nil {
		t.Fatal(err)
	}
	var p specs.LinuxSeccomp
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	return &p
}

// compile compiles p with what libseccomp says in this process.
func compile(p *specs.LinuxSeccomp) (bpf.Filter, error) { return Compile(p, golang.Ask) }

// libOf returns libseccomp's value of an architecture.
func libOf(t testing.TB, a arch) libseccomp.ScmpArch {
	t.Helper()
	lib, err := libseccomp.GetArchFromString(a.name)
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

// archWords returns the architectures of the specification that libseccomp supports.
func archWords() []string {
	major, minor, _ := libseccomp.GetLibraryVersion()
	return bpf.ArchsOf(major, minor)
}

func errno(n uint) *uint { return &n }

// onX86 skips tests that are written for the ABIs of x86-64.
func onX86(t testing.TB) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skipf("GOARCH is %s: the oracle knows the ABIs of amd64", runtime.GOARCH)
	}
}

func TestDefaultProfileDiffers(t *testing.T) {
	onX86(t)
	p := defaultProfile(t)
	for name, change := range map[string]func(){
		"as it is":     func() {},
		"native only":  func() { p.Architectures = nil },
		"with x86":     func() { p.Architectures = []specs.Arch{specs.ArchX86} },
		"with x32":     func() { p.Architectures = []specs.Arch{specs.ArchX32, specs.ArchX86_64, specs.ArchX32} },
		"trap":         func() { p.DefaultAction, p.DefaultErrnoRet = specs.ActTrap, nil },
		"kill thread":  func() { p.DefaultAction, p.DefaultErrnoRet = specs.ActKill, nil },
		"kill process": func() { p.DefaultAction, p.DefaultErrnoRet = specs.ActKillProcess, nil },
		"log":          func() { p.DefaultAction, p.DefaultErrnoRet = specs.ActLog, nil },
		"trace":        func() { p.DefaultAction, p.DefaultErrnoRet = specs.ActTrace, errno(777) },
		"ENOSYS":       func() { p.DefaultErrnoRet = errno(uint(unix.ENOSYS)) },
		"EACCES":       func() { p.DefaultErrnoRet = errno(uint(unix.EACCES)) },
	} {
		t.Run(name, func(t *testing.T) {
			p = defaultProfile(t)
			change()
			if n := agree(t, p); n < 8000 {
				t.Errorf("only %d calls compared", n)
			}
		})
	}
}

// TestRandomProfiles compares the filter with the oracle for profiles of all sizes,
// below and above binaryTreeFrom.
func TestRandomProfiles(t *testing.T) {
	onX86(t)
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p := randomProfile(rand.New(rand.NewPCG(seed, 1)))
			if n := agree(t, p); n < 8000 {
				t.Errorf("only %d calls compared", n)
			}
		})
	}
}

func randomProfile(r *rand.Rand) *specs.LinuxSeccomp {
	acts := []specs.LinuxSeccompAction{
		specs.ActAllow, specs.ActErrno, specs.ActKill, specs.ActKillProcess, specs.ActTrap, specs.ActTrace, specs.ActLog,
	}
	p := &specs.LinuxSeccomp{DefaultAction: acts[r.IntN(len(acts))]}
	for _, word := range []specs.Arch{specs.ArchX86, specs.ArchX32, specs.ArchX86_64} {
		if r.IntN(2) == 0 {
			p.Architectures = append(p.Architectures, word)
		}
	}
	used := map[string]bool{}
	for range 1 + r.IntN(100) {
		name := nameOf(x86ABIs()[0], uint32(r.IntN(500)))
		// libseccomp cannot compare arguments that go through socketcall or ipc.
		if name == "(none)" || used[name] || multiplexedOnX86(name) {
			continue
		}
		used[name] = true
		s := specs.LinuxSyscall{Names: []string{name}, Action: acts[r.IntN(len(acts))], Args: randomArgs(r)}
		if (s.Action == specs.ActErrno || s.Action == specs.ActTrace) && r.IntN(2) == 0 {
			s.ErrnoRet = errno(uint(r.IntN(4095)))
		}
		p.Syscalls = append(p.Syscalls, s)
	}
	return p
}

func multiplexedOnX86(name string) bool {
	n, err := libseccomp.GetSyscallFromNameByArch(name, libseccomp.ArchX86)
	return err == nil && library.IsMultiplexed(int32(n))
}

func randomArgs(r *rand.Rand) []specs.LinuxSeccompArg {
	var args []specs.LinuxSeccompArg
	for range r.IntN(4) {
		args = append(args, specs.LinuxSeccompArg{
			Index: uint(r.IntN(6)),
			// Arguments of 32-bit ABIs have no larger values.
			Value: uint64(r.Uint32()), ValueTwo: uint64(r.Uint32()),
			Op: operators[r.IntN(len(operators))],
		})
	}
	for i, a := range args {
		if a.Op == specs.OpMaskedEqual {
			args[i].ValueTwo &= a.Value // otherwise it can never match
		}
	}
	return args
}

var operators = []specs.LinuxSeccompOperator{
	specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo,
	specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual,
}

// TestOperators tests each operator alone, with 64-bit values.
func TestOperators(t *testing.T) {
	onX86(t)
	for _, word := range operators {
		for _, value := range []uint64{0, 5, 1 << 32, 0x1234567890, ^uint64(0)} {
			p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{{
				Names: []string{"read"}, Action: specs.ActAllow,
				Args: []specs.LinuxSeccompArg{{
					Index: 2, Value: value, ValueTwo: value & 0x1200000010, Op: word,
				}},
			}}}
			t.Run(fmt.Sprint(word, value), func(t *testing.T) { agree(t, p) })
		}
	}
}

// TestSameArgument: two conditions on one argument are alternatives.
func TestSameArgument(t *testing.T) {
	onX86(t)
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{{
		Names: []string{"personality"}, Action: specs.ActAllow,
		Args: []specs.LinuxSeccompArg{
			{Index: 0, Value: 3, Op: specs.OpEqualTo}, {Index: 0, Value: 7, Op: specs.OpEqualTo},
			{Index: 1, Value: 9, Op: specs.OpEqualTo},
		},
	}}}
	agree(t, p)
	filter, err := compile(p)
	if err != nil {
		t.Fatal(err)
	}
	prog := decode(t, filter.Program)
	for first, want := range map[uint64]uint32{3: 0x7fff0000, 7: 0x7fff0000, 5: 0x00050001} {
		got, err := verdict(prog, call{nr: 135, arch: 0xc000003e, args: [6]uint64{first}})
		if err != nil || got != want {
			t.Errorf("personality(%d): %#x, %v, want %#x", first, got, err, want)
		}
	}
}

// TestMultiplexed: a rule for a call that is made through socketcall(2) on 32-bit x86 does
// not disturb the rules after it. libseccomp's own program would compare the architecture
// in place of the number.
func TestMultiplexed(t *testing.T) {
	onX86(t)
	for _, first := range []string{"accept", "accept4", "semop", "socket", "mkdir"} {
		f, err := compile(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchX86}, Syscalls: []specs.LinuxSyscall{
			{Names: []string{first}, Action: specs.ActTrap},
			{Names: []string{"unlink"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Index: 0, Value: 7, Op: specs.OpEqualTo}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		for arg, want := range map[uint64]uint32{7: 0x00050001, 8: 0x7fff0000} {
			got, err := verdict(decode(t, f.Program), call{nr: 10, arch: 0x40000003, args: [6]uint64{arg}})
			if err != nil || got != want {
				t.Errorf("%s, then unlink(%d): %#x, %v, want %#x", first, arg, got, err, want)
			}
		}
	}
}

// TestUnknownNames: names that no architecture has are left out with a note, unless
// that would let through what the profile denies.
func TestUnknownNames(t *testing.T) {
	const where = "linux.seccomp.syscalls[0].names[1]"
	acts := []specs.LinuxSeccompAction{
		specs.ActAllow, specs.ActLog, specs.ActTrace, specs.ActErrno, specs.ActTrap, specs.ActKill, specs.ActKillThread, specs.ActKillProcess,
	}
	level := map[specs.LinuxSeccompAction]int{specs.ActAllow: 2, specs.ActLog: 2, specs.ActTrace: 1, specs.ActNotify: 1}
	for _, def := range acts {
		for _, act := range append(acts, specs.ActNotify) {
			p := &specs.LinuxSeccomp{DefaultAction: def, Syscalls: []specs.LinuxSyscall{{
				Names: []string{"mkdir", "no_such_call"}, Action: act,
			}}}
			f, err := compile(p)
			if level[act] < level[def] {
				if err == nil || !strings.Contains(err.Error(), where+`: unknown system call "no_such_call"`) {
					t.Errorf("%s by default, %s: %v", def, act, err)
				}
				continue
			}
			if err != nil || len(f.Notes) != 1 || !strings.HasPrefix(f.Notes[0], where+": unknown system call \"no_such_call\", whose rule has no effect") {
				t.Errorf("%s by default, %s: notes %q, %v", def, act, f.Notes, err)
			}
			p.Syscalls[0].Names = []string{"mkdir"}
			if without, err := compile(p); err != nil || !bytes.Equal(f.Program, without.Program) {
				t.Errorf("%s by default, %s: another program without the unknown name, %v", def, act, err)
			}
		}
	}
}

// TestForeignNames: calls that only other architectures have cause no note.
func TestForeignNames(t *testing.T) {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{
		Names: []string{"s390_runtime_instr", "riscv_hwprobe", "swapcontext", "cacheflush", "uretprobe", "utimensat_time64"}, Action: specs.ActErrno,
	}}}
	if f, err := compile(p); err != nil || len(f.Notes) > 0 {
		t.Errorf("notes %q, %v", f.Notes, err)
	}
	if f, err := compile(defaultProfile(t)); err != nil || len(f.Notes) > 0 {
		t.Errorf("the default profile has notes %q, %v", f.Notes, err)
	}
}

// TestManyUnknownNames: the number of notes is limited, and the last one says that
// there are more.
func TestManyUnknownNames(t *testing.T) {
	s := specs.LinuxSyscall{Action: specs.ActAllow}
	for i := range 1000 {
		s.Names = append(s.Names, fmt.Sprint("call", i, strings.Repeat("\n", 500)))
	}
	f, err := compile(&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{s}})
	if err != nil || len(f.Notes) != bpf.MaxNotes || !strings.Contains(f.Notes[bpf.MaxNotes-1], "more unknown system calls") {
		t.Errorf("%d notes, %v", len(f.Notes), err)
	}
	if back, ok := bpf.Decode(f.Encode()); !ok || !slices.Equal(back.Notes, f.Notes) || !bytes.Equal(back.Program, f.Program) {
		t.Error("another filter when it was encoded")
	}
}

// TestArchitectures compiles for each architecture, or expects an error that says why
// this machine cannot.
func TestArchitectures(t *testing.T) {
	onX86(t)
	big := []string{"MIPS", "MIPS64", "MIPS64N32", "PPC", "PPC64", "S390", "S390X", "PARISC", "PARISC64", "M68K", "SHEB"}
	for _, word := range specArchs() {
		p := defaultProfile(t)
		p.Architectures = []specs.Arch{word}
		filter, err := compile(p)
		switch {
		case !slices.Contains(archWords(), string(word)):
			if err == nil || !strings.Contains(err.Error(), "not supported on this version") {
				t.Errorf("%s: %v", word, err)
			}
		case slices.Contains(big, strings.TrimPrefix(string(word), "SCMP_ARCH_")):
			if err == nil || !strings.Contains(err.Error(), "byte order") {
				t.Errorf("%s: %v", word, err)
			}
		case err != nil:
			t.Errorf("%s: %v", word, err)
		default:
			checkForeign(t, word, filter.Program)
		}
	}
}

// checkForeign expects that read is allowed, mount is refused, and a number of the
// future gets ENOSYS.
func checkForeign(t *testing.T, word specs.Arch, filter []byte) {
	t.Helper()
	a, err := archOf(word)
	if err != nil {
		t.Fatal(err)
	}
	prog := decode(t, filter)
	for name, want := range map[string]uint32{"read": 0x7fff0000, "mount": 0x00050001, "": 0x00050026} {
		nr := libseccomp.ScmpSyscall(a.first + 900)
		if name != "" {
			if nr, err = libseccomp.GetSyscallFromNameByArch(name, libOf(t, a)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := verdict(prog, call{nr: uint32(nr), arch: a.audit})
		if err != nil || got != want {
			t.Errorf("%s: %s(%d): %#x, %v, want %#x", word, name, nr, got, err, want)
		}
	}
}

// specArchs returns the specification's list.
func specArchs() []specs.Arch {
	return []specs.Arch{
		specs.ArchX86, specs.ArchX86_64, specs.ArchX32, specs.ArchARM, specs.ArchAARCH64,
		specs.ArchMIPS, specs.ArchMIPS64, specs.ArchMIPS64N32, specs.ArchMIPSEL, specs.ArchMIPSEL64,
		specs.ArchMIPSEL64N32, specs.ArchPPC, specs.ArchPPC64, specs.ArchPPC64LE, specs.ArchS390,
		specs.ArchS390X, specs.ArchPARISC, specs.ArchPARISC64, specs.ArchRISCV64,
		specs.ArchLOONGARCH64, specs.ArchM68K, specs.ArchSH, specs.ArchSHEB,
	}
}
