// SPDX-License-Identifier: Apache-2.0

package contrib

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakes makes a directory of shell scripts by name, and returns a PATH that has it first.
func fakes(t *testing.T, scripts map[string]string) (path, dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return "PATH=" + dir + ":" + os.Getenv("PATH"), dir
}

// deps installs quietly as root, and installs nothing for anybody else.
func TestDeps(t *testing.T) {
	const (
		dpkg    = `case "$4" in gcc) echo installed ;; *) exit 1 ;; esac`
		noise   = `for i in 1 2 3; do echo "Unpacking $i"; done; echo "$*" >>"$0.called"`
		failing = noise + "; exit 100"
	)
	for name, test := range map[string]struct {
		uid, apt string
		packages []string
		code     int
		want     []string // in the output
		never    string   // in the output
		called   bool     // apt-get was
	}{
		"all are there": {"0", noise, []string{"gcc"}, 0, nil, "deps", false},
		"root":          {"0", noise, []string{"gcc", "make"}, 0, []string{"deps: installing make\n"}, "Unpacking", true},
		"apt fails":     {"0", failing, []string{"make"}, 1, []string{"deps: installing make\n", "Unpacking 3"}, "", true},
		"user":          {"1000", noise, []string{"gcc", "make", "git"}, 1, []string{"As root, run: apt-get install make git\n"}, "installing", false},
		"user has all":  {"1000", noise, []string{"gcc"}, 0, nil, "deps", false},
	} {
		t.Run(name, func(t *testing.T) {
			path, dir := fakes(t, map[string]string{"dpkg-query": dpkg, "apt-get": test.apt, "id": "echo " + test.uid})
			cmd := exec.Command("./deps", test.packages...)
			cmd.Env = append(os.Environ(), path)
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != test.code {
				t.Errorf("exit status %d, want %d", code, test.code)
			}
			for _, want := range test.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("no %q in %q", want, out)
				}
			}
			if test.never != "" && strings.Contains(string(out), test.never) {
				t.Errorf("%q in %q", test.never, out)
			}
			_, err := os.Stat(filepath.Join(dir, "apt-get.called"))
			if called := err == nil; called != test.called {
				t.Errorf("apt-get was called: %v", called)
			}
		})
	}
}

// bundle makes a bundle that the user who calls it can run.
func TestBundle(t *testing.T) {
	for uid, want := range map[string][]string{
		"0":    {"spec", "--bundle"},
		"1000": {"spec", "--rootless", "--bundle"},
	} {
		path, dir := fakes(t, map[string]string{
			"id":      "echo " + uid,
			"busybox": "echo sh; echo busybox",
			"skiff":   `echo "$@" >"$0.called"; for a; do dir=$a; done; printf '"terminal": true,\n"args": [\n\t"sh"\n]\n' >"$dir/config.json"`,
		})
		bundle := filepath.Join(dir, "hello")
		cmd := exec.Command("./bundle", filepath.Join(dir, "skiff"), bundle, "echo", `a "b" \ c | & d`)
		cmd.Env = append(os.Environ(), path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("bundle: %v\n%s", err, out)
		}
		called, err := os.ReadFile(filepath.Join(dir, "skiff.called"))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Fields(string(called)); !slices.Equal(got, append(want, bundle)) {
			t.Errorf("uid %s: skiff %s", uid, called)
		}
		text, err := os.ReadFile(filepath.Join(bundle, "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		if want := "\"terminal\": false,\n\"args\": [\n\t\"echo\", \"a \\\"b\\\" \\\\ c | & d\"\n]\n"; string(text) != want {
			t.Errorf("config.json is %q, want %q", text, want)
		}
		if link, err := os.Readlink(filepath.Join(bundle, "rootfs/bin/sh")); link != "busybox" {
			t.Errorf("rootfs/bin/sh leads to %q: %v", link, err)
		}
	}
}
