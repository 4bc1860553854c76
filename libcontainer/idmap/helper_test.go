// SPDX-License-Identifier: Apache-2.0

package idmap

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// program puts a shell script of that name in front of PATH.
func program(t *testing.T, name, script string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

// The helper gets the pid and each number of the mappings as arguments.
func TestHelp(t *testing.T) {
	list := mappings{entry(0, 1000, 1), entry(1, 100000, last)}
	for file, name := range map[string]string{"uid_map": "newuidmap", "gid_map": "newgidmap"} {
		dir := program(t, name, `echo "$@" >${0%/*}/told`)
		if err := help(os.Getpid(), file, "linux.uidMappings", list); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		told, err := os.ReadFile(dir + "/told")
		if want := strconv.Itoa(os.Getpid()) + " 0 1000 1 1 100000 4294967295\n"; err != nil || string(told) != want {
			t.Errorf("%s is told %q, %v, want %q", name, told, err, want)
		}
	}
}

func TestHelpRefuses(t *testing.T) {
	list := mappings{entry(0, 1000, 1), entry(1, 5, 2)}
	program(t, "newuidmap", `echo "newuidmap: uid range [1-3) -> [5-7) not allowed" >&2; echo second; exit 1`)
	const want = "linux.uidMappings: newuidmap refused the mapping 0:1000:1, 1:5:2: uid range [1-3) -> [5-7) not allowed; second (/etc/subuid lists the ids that this user may map)"
	if err := help(os.Getpid(), "uid_map", "linux.uidMappings", list); errText(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	program(t, "newgidmap", "echo no >&2; exit 1")
	if err := help(os.Getpid(), "gid_map", "m", list); errText(err) != "m: newgidmap refused the mapping 0:1000:1, 1:5:2: no (/etc/subgid lists the ids that this user may map)" {
		t.Errorf("got %v", err)
	}
}

func TestHelpMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := help(os.Getpid(), "gid_map", "linux.gidMappings", mappings{entry(0, 5, 2)})
	if err == nil || !strings.HasPrefix(err.Error(), "linux.gidMappings: newgidmap is required ") || !strings.HasSuffix(err.Error(), "(Debian has it in the package uidmap)") {
		t.Errorf("missing: %v", err)
	}
	dir := program(t, "newgidmap", "")
	if err := os.WriteFile(dir+"/newgidmap", []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := help(os.Getpid(), "gid_map", "m", nil); err == nil || !strings.HasSuffix(err.Error(), "exec format error") {
		t.Errorf("no program: %v", err)
	}
}
