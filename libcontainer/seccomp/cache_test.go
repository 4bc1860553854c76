// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// defaultProfile returns a profile like the engines' default one, in size and shape.
func defaultProfile(t *testing.T) *specs.LinuxSeccomp {
	t.Helper()
	data, err := os.ReadFile("compiler/testdata/default.json")
	if err != nil {
		t.Fatal(err)
	}
	p := new(specs.LinuxSeccomp)
	if err := json.Unmarshal(data, p); err != nil {
		t.Fatal(err)
	}
	return p
}

func errno(n uint) *uint { return &n }

func entries(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A filter from the cache equals the compiled one, and a damaged entry is only compiled
// again.
func TestCached(t *testing.T) {
	p, dir := defaultProfile(t), filepath.Join(t.TempDir(), "cache")
	p.Syscalls[0].Names = append(p.Syscalls[0].Names, "no_such_call", "nor_this")
	want, err := Cached([]string{filepath.Join(t.TempDir(), "other")}, "", p)
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		got, err := Cached([]string{dir}, "", p)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if len(got.Notes) != 2 || !slices.Equal(got.Notes, want.Notes) {
			t.Errorf("%s: notes %q", when, got.Notes)
		}
		if !bytes.Equal(got.BPF, want.BPF) || got.Flags != want.Flags {
			t.Errorf("%s: another filter", when)
		}
		if n := len(entries(t, dir)); n != 1 {
			t.Errorf("%s: %d entries", when, n)
		}
	}
	check("empty")
	check("stored")
	path := entries(t, dir)[0]
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func() error{
		"cut short": func() error { return os.WriteFile(path, whole[:len(whole)/2], 0o600) },
		"changed": func() error {
			b := bytes.Clone(whole)
			b[bytes.LastIndex(b, want.BPF)+len(want.BPF)-4] ^= 1 // the constant of the last instruction
			return os.WriteFile(path, b, 0o600)
		},
		"another note": func() error {
			b := bytes.Clone(whole)
			b[len(b)-4] ^= 1
			return os.WriteFile(path, b, 0o600)
		},
		"empty":                 func() error { return os.WriteFile(path, nil, 0o600) },
		"writable by everybody": func() error { return os.Chmod(path, 0o666) },
		"a link":                func() error { return replaceByLink(path, whole) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		check(name)
	}
}

// An entry with the name of this profile's is not used if it is that of another profile,
// whether or not their keys are of one length, or one of an older skiff.
func TestCacheNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	p := func(name string) *specs.LinuxSeccomp {
		return &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{name}, Action: specs.ActErrno}}}
	}
	mkdir, err := Cached([]string{dir}, "", p("mkdir"))
	if err != nil {
		t.Fatal(err)
	}
	path := entries(t, dir)[0]
	own, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	others := map[string][]byte{"an older one": append([]byte("skiff\x00\x00\x02"), own[len(magic):]...)}
	for _, name := range []string{"rmdir", "unlink"} {
		if _, err := Cached([]string{dir}, "", p(name)); err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries(t, dir) {
			if entry == path {
				continue
			}
			if others[name], err = os.ReadFile(entry); err != nil {
				t.Fatal(err)
			}
			os.Remove(entry)
		}
	}
	for name, other := range others {
		if err := os.WriteFile(path, other, 0o600); err != nil {
			t.Fatal(err)
		}
		if f, err := Cached([]string{dir}, "", p("mkdir")); err != nil || !bytes.Equal(f.BPF, mkdir.BPF) {
			t.Errorf("%s: another filter, %v", name, err)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, own) {
			t.Errorf("%s: the entry was not replaced: %v", name, err)
		}
	}
}

// Each changed byte changes the checksum, and so does the length.
func TestSum(t *testing.T) {
	seen := make(map[uint64]bool)
	for n := range 40 {
		b := make([]byte, n)
		for i := -1; i < n; i++ {
			if i >= 0 {
				b[i] = 0x80
			}
			if h := sum(b); seen[h] {
				t.Errorf("%x has the sum of another", b)
			} else {
				seen[h] = true
			}
			if i >= 0 {
				b[i] = 0
			}
		}
	}
}

// An entry is stored in the first directory that only the user can access, and found in
// any.
func TestCacheDirectories(t *testing.T) {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
	for name, spoil := range map[string]func(dir string) error{
		"writable by others": func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o770)) },
		"readable by others": func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o755)) },
		"a link":             func(dir string) error { return errors.Join(os.Mkdir(dir+"2", 0o700), os.Symlink(dir+"2", dir)) },
		"a file":             func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
		"fine":               func(string) error { return nil },
	} {
		shared, own := filepath.Join(t.TempDir(), "a", "cache"), filepath.Join(t.TempDir(), "cache")
		if err := errors.Join(os.Mkdir(filepath.Dir(shared), 0o700), spoil(shared)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := Cached([]string{shared, own}, "", p); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		want := 0
		if name == "fine" {
			want = 1
		}
		if a, b := len(entries(t, shared)), len(entries(t, own)); a != want || b != 1-want {
			t.Errorf("%s: %d entries in the first directory, %d in the second", name, a, b)
		}
		if b := len(entries(t, shared+"2")); b != 0 {
			t.Errorf("%s: %d entries where it leads", name, b)
		}
	}
}

func replaceByLink(path string, content []byte) error {
	other := path + ".elsewhere"
	if err := os.WriteFile(other, content, 0o600); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Symlink(other, path)
}

// Different profiles have different keys, whichever field that affects a filter they
// differ in.
func TestKeys(t *testing.T) {
	base := func() *specs.LinuxSeccomp {
		return &specs.LinuxSeccomp{
			DefaultAction: specs.ActErrno, Architectures: []specs.Arch{specs.ArchX86_64},
			Syscalls: []specs.LinuxSyscall{{Names: []string{"read", "write"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Index: 1, Value: 2, Op: specs.OpEqualTo}}}},
		}
	}
	seen := map[string]string{string(keyOf(base())): "base"}
	for name, change := range map[string]func(p *specs.LinuxSeccomp){
		"default":   func(p *specs.LinuxSeccomp) { p.DefaultAction = specs.ActKill },
		"errno":     func(p *specs.LinuxSeccomp) { p.DefaultErrnoRet = errno(2) },
		"archs":     func(p *specs.LinuxSeccomp) { p.Architectures = nil },
		"no flags":  func(p *specs.LinuxSeccomp) { p.Flags = []specs.LinuxSeccompFlag{} },
		"flags":     func(p *specs.LinuxSeccomp) { p.Flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog} },
		"notify":    func(p *specs.LinuxSeccomp) { p.Syscalls[0].Action = specs.ActNotify },
		"names":     func(p *specs.LinuxSeccomp) { p.Syscalls[0].Names = []string{"readwrite"} },
		"action":    func(p *specs.LinuxSeccomp) { p.Syscalls[0].Action = specs.ActLog },
		"errnoRet":  func(p *specs.LinuxSeccomp) { p.Syscalls[0].ErrnoRet = errno(0) },
		"index":     func(p *specs.LinuxSeccomp) { p.Syscalls[0].Args[0].Index = 2 },
		"value":     func(p *specs.LinuxSeccomp) { p.Syscalls[0].Args[0].Value = 3 },
		"value two": func(p *specs.LinuxSeccomp) { p.Syscalls[0].Args[0].ValueTwo = 3 },
		"operator":  func(p *specs.LinuxSeccomp) { p.Syscalls[0].Args[0].Op = specs.OpNotEqual },
		"fewer":     func(p *specs.LinuxSeccomp) { p.Syscalls = nil },
	} {
		p := base()
		change(p)
		k := string(keyOf(p))
		if other, ok := seen[k]; ok {
			t.Errorf("%s has the key of %s", name, other)
		}
		seen[k] = name
	}
	facts := helperFacts
	defer func() { helperFacts = facts }()
	helperFacts = "2.5.4\n0123456789\n"
	if other, ok := seen[string(keyOf(base()))]; ok {
		t.Errorf("another helper has the key of %s", other)
	}
}
