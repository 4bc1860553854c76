// SPDX-License-Identifier: Apache-2.0

//go:build cgo && cparts

package compiler

import (
	"fmt"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// oracle determines what a filter must return for a call, by reading the profile rule
// by rule. Of the compiler it uses only the tables of names.
type oracle struct {
	profile *specs.LinuxSeccomp
	abis    []testABI
	last    []int64 // by ABI: the highest number that the profile names; -1 if there is none
}

// testABI is an ABI of x86, on which the differential tests run.
type testABI struct {
	word        specs.Arch
	name        string
	lib         libseccomp.ScmpArch
	audit       uint32
	first, last uint32 // of its numbers
	wide        bool   // arguments have 64 bits
}

func x86ABIs() []testABI {
	return []testABI{
		{specs.ArchX86_64, "x86_64", libseccomp.ArchAMD64, 0xc000003e, 0, 0x3fffffff, true},
		{specs.ArchX86, "x86", libseccomp.ArchX86, 0x40000003, 0, 0xffffffff, false},
		{specs.ArchX32, "x32", libseccomp.ArchX32, 0xc000003e, 0x40000000, 0xffffffff, false},
	}
}

func newOracle(p *specs.LinuxSeccomp) *oracle {
	o := &oracle{profile: p}
	for _, abi := range x86ABIs() {
		wanted := abi.word == specs.ArchX86_64 // native
		for _, word := range p.Architectures {
			wanted = wanted || word == abi.word
		}
		if wanted {
			o.abis = append(o.abis, abi)
			o.last = append(o.last, lastNamed(p, abi))
		}
	}
	return o
}

// lastNamed looks up the name of every number, the reverse of what the compiler does.
func lastNamed(p *specs.LinuxSeccomp, abi testABI) int64 {
	last := int64(-1)
	for nr := abi.first; nr < abi.first+2000; nr++ {
		name := nameOf(abi, nr)
		for _, s := range p.Syscalls {
			for _, n := range s.Names {
				if n == name {
					last = int64(nr)
				}
			}
		}
	}
	return last
}

// nameOf looks a number up in libseccomp, and then in the tables of the newest calls,
// which have their own test.
func nameOf(abi testABI, nr uint32) string {
	name, err := libseccomp.ScmpSyscall(int32(nr)).GetNameByArch(abi.lib)
	if err == nil {
		return name
	}
	if i := int(nr-abi.first) - firstCommon; 0 <= i && i < len(common) {
		return common[i]
	}
	for _, p := range private {
		if p.arch == abi.name && p.number == nr {
			return p.name
		}
	}
	return "(none)"
}

// verdict returns what the filter must return. ok is false if rules with different
// actions match, which libseccomp leaves undefined.
func (o *oracle) verdict(c call) (want uint32, ok bool) {
	for i, abi := range o.abis {
		if c.arch == abi.audit && abi.first <= c.nr && c.nr <= abi.last {
			return o.judge(abi, o.last[i], c)
		}
	}
	return unix.SECCOMP_RET_KILL_THREAD, true // the architecture is not in the profile
}

func (o *oracle) judge(abi testABI, last int64, c call) (want uint32, ok bool) {
	def := ret(o.profile.DefaultAction, o.profile.DefaultErrnoRet)
	name := nameOf(abi, c.nr)
	found := false
	for _, s := range o.profile.Syscalls {
		act := ret(s.Action, s.ErrnoRet)
		if act == def || !names(s, name) || !matches(s.Args, abi, c) {
			continue
		}
		if found && want != act {
			return 0, false
		}
		want, found = act, true
	}
	switch {
	case found:
		return want, true
	case last >= 0 && int64(c.nr) > last && failing(def):
		return unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS), true
	}
	return def, true
}

func failing(def uint32) bool {
	switch def & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_LOG, unix.SECCOMP_RET_TRACE:
		return false
	}
	return true
}

func names(s specs.LinuxSyscall, name string) bool {
	for _, n := range s.Names {
		if n == name {
			return true
		}
	}
	return false
}

func ret(word specs.LinuxSeccompAction, errno *uint) uint32 {
	data := uint32(1)
	if errno != nil {
		data = uint32(*errno)
	}
	switch word {
	case "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD":
		return 0
	case "SCMP_ACT_KILL_PROCESS":
		return 0x80000000
	case "SCMP_ACT_TRAP":
		return 0x00030000
	case "SCMP_ACT_ERRNO":
		return 0x00050000 | data
	case "SCMP_ACT_NOTIFY":
		return 0x7fc00000
	case "SCMP_ACT_TRACE":
		return 0x7ff00000 | data
	case "SCMP_ACT_LOG":
		return 0x7ffc0000
	case "SCMP_ACT_ALLOW":
		return 0x7fff0000
	}
	panic("no action " + string(word))
}

// matches reports whether all conditions hold, or, if two are about the same argument,
// whether any does.
func matches(args []specs.LinuxSeccompArg, abi testABI, c call) bool {
	count, met, twice := [6]int{}, 0, false
	for _, a := range args {
		count[a.Index]++
		twice = twice || count[a.Index] > 1
		if holds(a, abi, c.args[a.Index]) {
			met++
		}
	}
	if twice {
		return met > 0
	}
	return met == len(args)
}

func holds(a specs.LinuxSeccompArg, abi testABI, arg uint64) bool {
	value, two := a.Value, a.ValueTwo
	if !abi.wide {
		arg, value, two = uint64(uint32(arg)), uint64(uint32(value)), uint64(uint32(two))
	}
	switch a.Op {
	case "SCMP_CMP_NE":
		return arg != value
	case "SCMP_CMP_LT":
		return arg < value
	case "SCMP_CMP_LE":
		return arg <= value
	case "SCMP_CMP_EQ":
		return arg == value
	case "SCMP_CMP_GE":
		return arg >= value
	case "SCMP_CMP_GT":
		return arg > value
	case "SCMP_CMP_MASKED_EQ":
		return arg&value == two
	}
	panic("no operator " + string(a.Op))
}

// sampleArgs returns values at and around those that the profile compares with.
func sampleArgs(p *specs.LinuxSeccomp) [][6]uint64 {
	values := []uint64{0, 1, 1 << 31, 1 << 32, ^uint64(0)}
	for _, s := range p.Syscalls {
		for _, a := range s.Args {
			for _, v := range []uint64{a.Value, a.ValueTwo, a.Value & a.ValueTwo} {
				values = append(values, v-1, v, v+1, v^1<<32, v|1<<63)
			}
		}
	}
	var samples [][6]uint64
	for i, v := range values {
		samples = append(samples, [6]uint64{v, v, v, v, v, v})
		mixed := [6]uint64{}
		for j := range mixed {
			mixed[j] = values[(i*7+j*13+j*j)%len(values)]
		}
		samples = append(samples, mixed)
	}
	return samples
}

// agree compares the filter of p with the oracle for all numbers, ABIs and sampled
// arguments, and returns the number of compared calls.
func agree(t testing.TB, p *specs.LinuxSeccomp) (compared int) {
	t.Helper()
	filter, err := compile(p)
	if err != nil {
		t.Fatal(err)
	}
	prog, o := decode(t, filter.Program), newOracle(p)
	samples := sampleArgs(p)
	for _, c := range allCalls() {
		wanted := samples
		if !conditional(p, o, c) {
			wanted = samples[:2]
		}
		for _, args := range wanted {
			c.args = args
			want, ok := o.verdict(c)
			if !ok {
				continue
			}
			compared++
			if got, err := verdict(prog, c); err != nil || got != want {
				t.Fatalf("%s: %#x, %v, want %#x", describe(c), got, err, want)
			}
		}
	}
	return compared
}

// allCalls returns calls with every number up to well beyond the tables, and some odd
// ones, for the ABIs of x86 and a foreign one.
func allCalls() []call {
	var calls []call
	for _, audit := range []uint32{0xc000003e, 0x40000003, 0xc00000b7} {
		for _, base := range []uint32{0, 0x40000000} {
			for nr := uint32(0); nr < 700; nr++ {
				calls = append(calls, call{arch: audit, nr: base + nr})
			}
		}
		for _, nr := range []uint32{9999, 0x3fffffff, 0x7fffffff, 0x80000000, 0xfffffffe} {
			calls = append(calls, call{arch: audit, nr: nr})
		}
	}
	return calls
}

func conditional(p *specs.LinuxSeccomp, o *oracle, c call) bool {
	for _, abi := range o.abis {
		for _, s := range p.Syscalls {
			if abi.audit == c.arch && len(s.Args) > 0 && names(s, nameOf(abi, c.nr)) {
				return true
			}
		}
	}
	return false
}

func describe(c call) string {
	return fmt.Sprintf("arch %#x nr %d (%#x) args %#x", c.arch, c.nr, c.nr, c.args)
}
