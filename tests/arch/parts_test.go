// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// parts has the files that make builds and the product embeds; they are not committed.
var parts = []string{"libcontainer/child/child.bin", "libcontainer/seccomp/helper.bin", "libcontainer/seccomp/helper.txt"}

// top returns the root directory of the module.
func top(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// without returns the name of a file for the flag -overlay. With it, the go command sees
// the tree without the named files.
func without(t *testing.T, names ...string) string {
	t.Helper()
	gone := make(map[string]string)
	for _, name := range names {
		gone[filepath.Join(top(t), name)] = ""
	}
	text, err := json.Marshal(map[string]any{"Replace": gone})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// makeTags returns the build tags that the Makefile builds skiff with.
func makeTags(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top(t), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^TAGS +:= (.+)$`).FindSubmatch(text)
	if found == nil {
		t.Fatal("the Makefile sets no TAGS")
	}
	return string(found[1])
}

// list loads packages and their dependencies as a build does, without compiling them. It
// returns their import paths.
func list(t *testing.T, args ...string) (paths string, err error) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-deps"}, args...)...)
	cmd.Dir = top(t)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go list: %w: %s", err, out)
	}
	return string(out), nil
}

// A fresh clone builds even without libseccomp.
func TestFreshCloneBuilds(t *testing.T) {
	paths, err := list(t, "-overlay", without(t, parts...), "./...")
	if err != nil {
		t.Error(err)
	}
	if strings.Contains(paths, "libseccomp") {
		t.Error("without tags a package imports libseccomp, which is C")
	}
}

// Make fails if any of the parts is missing, so it never builds an incomplete skiff.
func TestMissingPartFailsTheBuild(t *testing.T) {
	for _, part := range parts {
		_, err := list(t, "-overlay", without(t, part), "-tags", makeTags(t), ".")
		if want := filepath.Base(part) + ": no matching files found"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("make without %s: got %v, want %q", part, err, want)
		}
	}
}

// If a part is empty, for example because the disk was full, make fails and removes it.
func TestEmptyPartFailsMake(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("there is no make: ", err)
	}
	for _, empty := range parts {
		dir := t.TempDir()
		copyFile(t, filepath.Join(top(t), "Makefile"), filepath.Join(dir, "Makefile"))
		for _, name := range []string{"main.go", "VERSION", "go.mod", "go.sum", "commands/a.go", "specconv/a.go", "libcontainer/child/src/a.c"} {
			write(t, filepath.Join(dir, name), "")
		}
		for _, script := range []string{"libcontainer/child/build.sh", "libcontainer/seccomp/build.sh"} {
			write(t, filepath.Join(dir, script), "#!/bin/sh\n")
		}
		for _, part := range parts {
			text := "echo something"
			if part == empty {
				text = ":"
			}
			script := filepath.Join(dir, filepath.Dir(part), "build.sh")
			write(t, script, read(t, script)+text+" >"+filepath.Join(dir, part)+"\n")
		}
		cmd := exec.Command("make", "skiff", "GO=true")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), empty+" is empty") {
			t.Errorf("%s is empty: make says %v\n%s", empty, err, out)
		}
		if _, err := os.Stat(filepath.Join(dir, empty)); err == nil {
			t.Errorf("make leaves an empty %s", empty)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	write(t, to, read(t, from))
}
