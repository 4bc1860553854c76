// SPDX-License-Identifier: Apache-2.0

//go:build cgo && cparts

package compiler

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/golang"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/library"
	"golang.org/x/sys/unix"
)

// goArchs maps the architectures whose numbers golang.org/x/sys has.
var goArchs = map[string]specs.Arch{
	"386": specs.ArchX86, "amd64": specs.ArchX86_64, "arm": specs.ArchARM, "arm64": specs.ArchAARCH64,
	"mips": specs.ArchMIPS, "mips64": specs.ArchMIPS64, "mips64le": specs.ArchMIPSEL64, "mipsle": specs.ArchMIPSEL,
	"ppc": specs.ArchPPC, "ppc64": specs.ArchPPC64, "ppc64le": specs.ArchPPC64LE, "riscv64": specs.ArchRISCV64,
	"s390x": specs.ArchS390X, "loong64": specs.ArchLOONGARCH64,
}

// noCall matches the names in the tables of golang.org/x/sys that are not calls.
var noCall = regexp.MustCompile(`^(reserved\d+|unused\d+|syscall_mask|arch_specific_syscall)$`)

// sysNumbers returns the numbers that golang.org/x/sys has for an architecture.
func sysNumbers(t *testing.T, goarch string) map[string]uint32 {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Skipf("no source of golang.org/x/sys: go list: %v", err)
	}
	if len(bytes.TrimSpace(dir)) == 0 {
		t.Skip("needs the source of golang.org/x/sys: it is not in this user's module cache")
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "unix", "zsysnum_linux_"+goarch+".go"))
	if err != nil {
		t.Fatal(err)
	}
	numbers := make(map[string]uint32)
	for _, m := range regexp.MustCompile(`(?m)^\s+SYS_(\w+)\s+= (\d+)$`).FindAllSubmatch(text, -1) {
		n, err := strconv.ParseUint(string(m[2]), 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		if name := strings.ToLower(string(m[1])); !noCall.MatchString(name) {
			numbers[name] = uint32(n)
		}
	}
	if len(numbers) < 200 {
		t.Fatalf("%s has %d calls", goarch, len(numbers))
	}
	return numbers
}

// TestNumbersOfSys checks that libseccomp and the tables here together have every
// number of golang.org/x/sys, and that golang.org/x/sys knows the newest call of the
// tables.
func TestNumbersOfSys(t *testing.T) {
	for goarch, word := range goArchs {
		t.Run(goarch, func(t *testing.T) {
			if !slices.Contains(archWords(), string(word)) {
				t.Skipf("this libseccomp (%s) does not have the architecture", golang.Version())
			}
			a, err := archOf(word)
			if err != nil {
				t.Fatal(err)
			}
			numbers := sysNumbers(t, goarch)
			for name, want := range numbers {
				checkNumber(t, a, name, want)
			}
			if _, ok := numbers[common[len(common)-1]]; !ok {
				t.Errorf("golang.org/x/sys does not know %s", common[len(common)-1])
			}
		})
	}
}

func checkNumber(t *testing.T, a arch, name string, want uint32) {
	t.Helper()
	own, inTable := a.tableNumber(name)
	if want >= a.first+firstCommon && want < a.first+library.TableSize && !inTable {
		t.Errorf("%s (%d) is missing", name, want-a.first)
	}
	if inTable && own != want {
		t.Errorf("%s is %d, %d here", name, want, own)
	}
	n, err := libseccomp.GetSyscallFromNameByArch(name, libOf(t, a))
	if err == nil && library.IsMultiplexed(int32(n)) || inTable {
		return
	}
	if err != nil || uint32(n) != want {
		t.Errorf("%s is %d, libseccomp says %d, %v", name, want, n, err)
	}
}

// printer is a program that loads a libseccomp and asks it for the numbers of names.
const printer = `
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdint.h>
struct version { unsigned major, minor, micro; };
int main(int argc, char **argv)
{
	void *lib = dlopen(argv[1], RTLD_NOW);
	if (!lib) { puts(dlerror()); return 1; }
	int (*resolve)(uint32_t, const char *) = dlsym(lib, "seccomp_syscall_resolve_name_arch");
	struct version *(*version)(void) = dlsym(lib, "seccomp_version");
	printf("%u.%u\n", version()->major, version()->minor);
	uint32_t arch;
	char name[100];
	while (scanf("%u %99s", &arch, name) == 2)
		printf("%d\n", resolve(arch, name));
	return 0;
}
`

// newerLibrary returns the path of a libseccomp that is newer than the linked one: the
// environment's LIBSECCOMP, or the one among the benchmark's tools. Without any, it
// skips the test.
func newerLibrary(t *testing.T) string {
	t.Helper()
	if file := os.Getenv("LIBSECCOMP"); file != "" {
		return file
	}
	cache := os.Getenv("BENCH_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			t.Skip(err)
		}
		cache = filepath.Join(dir, "skiff-bench")
	}
	found, _ := filepath.Glob(filepath.Join(cache, "sid/usr/lib/*/libseccomp.so.2"))
	if len(found) == 0 {
		t.Skipf("no other libseccomp: LIBSECCOMP is not set, and there is no %s/sid/usr/lib/*/libseccomp.so.2", cache)
	}
	return found[0]
}

// TestNumbersOfNewerLibrary compares the tables with a newer libseccomp.
func TestNumbersOfNewerLibrary(t *testing.T) {
	file := newerLibrary(t)
	bin := filepath.Join(t.TempDir(), "printer")
	cc := exec.Command("cc", "-x", "c", "-o", bin, "-", "-ldl")
	cc.Stdin = strings.NewReader(printer)
	if out, err := cc.CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	var asked []arch
	var names []string
	var input strings.Builder
	for _, word := range archWords() {
		a, err := archOf(specs.Arch(word))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range tableNames() {
			asked, names = append(asked, a), append(names, name)
			input.WriteString(strconv.FormatUint(uint64(token(t, a)), 10) + " " + name + "\n")
		}
	}
	ask := exec.Command(bin, file)
	ask.Stdin = strings.NewReader(input.String())
	out, err := ask.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", file, err, out)
	}
	answers := bufio.NewScanner(strings.NewReader(string(out)))
	answers.Scan()
	t.Logf("%s has version %s", file, answers.Text())
	for i, name := range names {
		if !answers.Scan() {
			t.Fatalf("%d answers", i)
		}
		n, err := strconv.ParseInt(answers.Text(), 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		own, ok := asked[i].tableNumber(name)
		if n >= 0 && (!ok || own != uint32(n)) {
			t.Errorf("%v: %s is %d, %d, %v here", asked[i].name, name, n, own, ok)
		}
		if _, is := privateNumber(asked[i].name, name); n < 0 && ok && is {
			t.Errorf("%v has no %s", asked[i].name, name)
		}
	}
}

func tableNames() []string {
	names := append([]string{}, common[:]...)
	for _, p := range private {
		names = append(names, p.name)
	}
	return names
}

// token returns libseccomp's SCMP_ARCH_* of an architecture. It is the kernel's
// AUDIT_ARCH_*, except for x32: that has x86-64's without the bit for 64 bits.
func token(t *testing.T, a arch) uint32 {
	t.Helper()
	if a.name == "x32" {
		return a.audit &^ 0x80000000
	}
	return a.audit
}

// TestNewCalls tests rules of all kinds for calls that an older libseccomp does not
// know.
func TestNewCalls(t *testing.T) {
	onX86(t)
	everywhere := []specs.Arch{specs.ArchX86, specs.ArchX32}
	for name, p := range map[string]*specs.LinuxSeccomp{
		"denied": {DefaultAction: specs.ActAllow, Architectures: everywhere, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"statmount", "setxattrat", "uretprobe", "rseq_slice_yield", "mkdir"}, Action: specs.ActErrno},
		}},
		"allowed": {DefaultAction: specs.ActErrno, Architectures: everywhere, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read", "listns"}, Action: specs.ActAllow},
		}},
		"native": {DefaultAction: specs.ActErrno, DefaultErrnoRet: errno(uint(unix.ENOSYS)), Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read", "listns", "uprobe"}, Action: specs.ActAllow}, {Names: []string{"statmount"}, Action: specs.ActErrno},
		}},
		"same argument": {DefaultAction: specs.ActAllow, Architectures: everywhere, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"statmount"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{
				{Index: 1, Value: 1 << 40, Op: specs.OpEqualTo}, {Index: 1, Value: 7, Op: specs.OpEqualTo},
			}},
		}},
		"all calls": allCallsProfile(),
	} {
		t.Run(name, func(t *testing.T) { agree(t, p) })
	}
	for _, word := range operators {
		for _, value := range []uint64{0, 5, 1 << 32, 0x1234567890, ^uint64(0)} {
			t.Run(string(word)+strconv.FormatUint(value, 16), func(t *testing.T) {
				agree(t, &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: everywhere, Syscalls: []specs.LinuxSyscall{{
					Names: []string{"setxattrat"}, Action: specs.ActAllow,
					Args: []specs.LinuxSeccompArg{
						{Index: 2, Value: value, ValueTwo: value & 0x1200000010, Op: word}, {Index: 3, Value: 3, Op: specs.OpNotEqual},
					},
				}}})
			})
		}
	}
}

// allCallsProfile has so many rules that jumps over them need 32-bit offsets.
func allCallsProfile() *specs.LinuxSeccomp {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: []specs.Arch{specs.ArchX86, specs.ArchX32}}
	for i, name := range tableNames() {
		if _, err := libseccomp.GetSyscallFromName(name); err == nil {
			continue // libseccomp's program of so many rules would be too long
		}
		for j := range 5 {
			p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{Names: []string{name}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{
				{Index: uint(i+j) % 6, Value: uint64(i*j) << (3 * j), Op: specs.OpLessEqual},
				{Index: uint(i+j+1) % 6, Value: uint64(i*j+1) << 30, Op: specs.OpGreaterThan},
				{Index: uint(i+j+2) % 6, Value: uint64(j), Op: specs.OpNotEqual},
			}})
		}
	}
	return p
}
