// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Make links skiff again after a commit, even if no source has changed, so that --version
// has the right one; and only then.
func TestMakeFollowsTheCommit(t *testing.T) {
	for _, name := range []string{"make", "git"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	copyFile(t, filepath.Join(top(t), "Makefile"), filepath.Join(dir, "Makefile"))
	for _, name := range []string{"main.go", "VERSION", "go.mod", "go.sum", "contrib/ldflags", "contrib/goexperiment", "commands/a.go", "specconv/a.go", "libcontainer/child/src/a.c"} {
		write(t, filepath.Join(dir, name), "")
	}
	for _, part := range parts {
		write(t, filepath.Join(dir, filepath.Dir(part), "build.sh"), "#!/bin/sh\nfor f in "+strings.Join(parts, " ")+"; do echo x >"+dir+"/$f; echo x >"+dir+"/${f%.*}.sum; done\n")
	}
	// This stands for the go command, and keeps what it is called with.
	write(t, filepath.Join(dir, "go"), "#!/bin/sh\necho \"$@\" >>"+dir+"/calls\n: >"+dir+"/skiff\n")
	do := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "MAKEFLAGS=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	commit := func(message string) string {
		do("git", "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "--allow-empty", "--message", message)
		return do("git", "rev-parse", "--short", "HEAD")
	}
	do("git", "init", "--quiet")
	var want []string
	for _, message := range []string{"one", "two"} {
		want = append(want, commit(message))
		do("make", "skiff", "GO="+dir+"/go")
		do("make", "skiff", "GO="+dir+"/go") // nothing to do
	}
	calls := strings.Split(strings.TrimSpace(read(t, filepath.Join(dir, "calls"))), "\n")
	if len(calls) != 2 || !strings.Contains(calls[0], "main.commit="+want[0]) || !strings.Contains(calls[1], "main.commit="+want[1]) {
		t.Errorf("skiff was built by the calls\n%s\nwant one for each of the commits %v", strings.Join(calls, "\n"), want)
	}
}
