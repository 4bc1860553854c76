// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The command line of another process becomes one line, whatever it contains.
func TestCommandLine(t *testing.T) {
	for given, want := range map[string]string{
		"":                                    "",
		"skiff\x00start\x00web\x00":           "skiff start web",
		"/usr/sbin/skiff\x00--root\x00/run/x": "skiff --root /run/x",
		"a\x00b/c\x00":                        "a b/c",
		"/\x00x":                              " x",
		"a\x00\x1b[31m\n\x00é":                "a ?[31m? é",
		"a\x00\xff":                           "a \ufffd",
		strings.Repeat("x", 200):              strings.Repeat("x", 120) + " ...",
		strings.Repeat("x", 119) + "é":        strings.Repeat("x", 119) + " ...",
	} {
		if got := commandLine([]byte(given)); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
	if own := CommandLine(os.Getpid()); !strings.HasPrefix(own, filepath.Base(os.Args[0])) {
		t.Errorf("our own is %q", own)
	}
	if none := CommandLine(0); none != "" {
		t.Errorf("that of nobody is %q", none)
	}
}

// The readers return what the kernel says about this process.
func TestReadOwn(t *testing.T) {
	st, err := ReadStat(os.Getpid())
	if err != nil || st == nil || st.Parent != os.Getppid() || st.Threads < 1 || st.Ended() {
		t.Errorf("stat: %+v, %v", st, err)
	}
	if st, err := ReadStat(0); st != nil || err != nil {
		t.Errorf("that of nobody: %+v, %v", st, err)
	}
	if tid, err := ThreadGroup(os.Getpid()); tid != os.Getpid() || err != nil {
		t.Errorf("thread group: %d, %v", tid, err)
	}
	id, err := MountID("/proc/self/")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := MountByID(id); err != nil || m.Point != "/proc" || m.Type != "proc" {
		t.Errorf("mount %d: %+v, %v", id, m, err)
	}
	if m, err := MountByID(0); err == nil {
		t.Errorf("mount 0: %+v", m)
	}
}
