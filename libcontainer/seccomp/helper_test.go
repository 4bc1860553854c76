// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/library"
	"github.com/skiff-oci/skiff/tests/parts"
	"golang.org/x/sys/unix"
)

// TestMain lets the test binary run as the helper, too.
func TestMain(m *testing.M) {
	if os.Args[0] == "skiff-seccomp" {
		misbehave()
	}
	if len(helper) == 0 {
		fmt.Fprintln(os.Stderr, "these tests need the filter compiler: make unit, or after make: go test -tags cparts")
		os.Exit(1)
	}
	if err := parts.Helper.Check(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// misbehave does what the question says.
func misbehave() {
	text := make([]byte, 100)
	n, err := unix.Pread(0, text, 0)
	if err != nil {
		panic(err)
	}
	switch string(text[:n]) {
	case "be killed":
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	case "panic":
		panic("why")
	case "fail":
		os.Exit(1)
	case "write too much":
		os.Stdout.Write(make([]byte, maxAnswer+1))
	case "show the environment":
		fmt.Fprintln(os.Stderr, os.Environ())
		os.Exit(1)
	}
	os.Exit(0)
}

// withHelper replaces the helper by another program during the test.
func withHelper(t *testing.T, program []byte) {
	t.Helper()
	whole := helper
	helper = program
	t.Cleanup(func() { helper = whole })
}

// The helper runs only for a filter that is not in the cache.
func TestHelperRunsOnce(t *testing.T) {
	p, dir := defaultProfile(t), filepath.Join(t.TempDir(), "cache")
	first, err := Cached([]string{dir}, "", p)
	if err != nil {
		t.Fatal(err)
	}
	withHelper(t, []byte("no program"))
	again, err := Cached([]string{dir}, "", p)
	if err != nil || !bytes.Equal(first.BPF, again.BPF) {
		t.Errorf("with the filter in the cache: %v", err)
	}
	if _, err := Cached([]string{t.TempDir()}, "", p); err == nil {
		t.Error("without the filter in the cache: a filter from nowhere")
	}
}

// The helper's message about a profile is the error, unchanged.
func TestHelperErrors(t *testing.T) {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
		{Names: []string{"read", "nosuchcall"}, Action: specs.ActErrno},
	}}
	_, err := Cached([]string{t.TempDir()}, "", p)
	if want := `linux.seccomp.syscalls[0].names[1]: unknown system call "nosuchcall", which the filter could not deny: must be the name of a system call`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Without a helper, the error says how to get one.
func TestNoHelper(t *testing.T) {
	withHelper(t, nil)
	_, err := Cached([]string{t.TempDir()}, "", defaultProfile(t))
	if !errors.Is(err, errNoHelper) || !strings.Contains(err.Error(), "build it with make") {
		t.Errorf("got %v, want %v", err, errNoHelper)
	}
}

// Any other failure of the helper is an error that describes it.
func TestHelperFails(t *testing.T) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	whole := helper
	withHelper(t, self)
	for act, want := range map[string]string{
		"be killed":            "the filter compiler was killed by signal 9 (SIGKILL)",
		"panic":                `status 2: "panic: why"`,
		"fail":                 `status 1: ""`,
		"show the environment": `"[]"`,
	} {
		if _, err := ask("", []byte(act)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", act, err, want)
		}
	}
	if text, err := ask("", []byte("write too much")); err != nil || len(text) != maxAnswer {
		t.Errorf("write too much: %d bytes, %v", len(text), err)
	}
	if _, err := compile("", defaultProfile(t)); err == nil || !strings.Contains(err.Error(), "the answer is incomplete") {
		t.Errorf("write nothing: got %v", err)
	}
	helper = whole
	q := (&library.Question{Default: unix.SECCOMP_RET_ALLOW, Archs: []library.Arch{{Name: "x"}}, Names: []string{"read"}}).Encode()
	for n := range q {
		if _, err := ask("", q[:n]); err == nil || !strings.Contains(err.Error(), `status 2: "the question is malformed"`) {
			t.Errorf("%d bytes of a question: got %v", n, err)
		}
	}
}

// helper.txt belongs to helper.bin and to the compiler's sources.
func TestHelperFacts(t *testing.T) {
	all := slices.Clone(helper)
	for _, pattern := range []string{"bpf/*.go", "compiler/*.go", "library/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(file, "_test.go") {
				all = append(all, text...)
			}
		}
	}
	sum := sha256.Sum256(all)
	if got := helperSum(); got != hex.EncodeToString(sum[:]) {
		t.Errorf("helper.txt says %s, helper.bin and the compiler have %x", got, sum)
	}
	out, err := exec.Command("./helper.bin", "version").Output()
	if err != nil || string(out) != LibraryVersion()+"\n" {
		t.Errorf("helper.txt says %s, helper.bin %q, %v", LibraryVersion(), out, err)
	}
}

// A run of the helper leaks no descriptor.
func TestHelperClosesFiles(t *testing.T) {
	count := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	if _, err := compile("", defaultProfile(t)); err != nil {
		t.Fatal(err)
	}
	before := count()
	for range 3 {
		if _, err := compile("", defaultProfile(t)); err != nil {
			t.Fatal(err)
		}
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
