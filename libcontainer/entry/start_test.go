// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// The entry point passes all arguments and variables on, and adds its own, unless the
// caller has one of that name.
func TestEntryPoint(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("the program cannot be built: %v", err)
	}
	program := filepath.Join(t.TempDir(), "show")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-ldflags", "-E skiff_entry", "-o", program, "./testdata/show").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const ours = "GOMAXPROCS=01"
	many := make([]string, 5000)
	for i := range many {
		many[i] = fmt.Sprintf("V%d=%s", i, strings.Repeat("v", i%90))
	}
	for name, c := range map[string]struct {
		args, env, want []string
		procs           string // GOMAXPROCS; "": that of the host
	}{
		"nothing":            {[]string{"show"}, nil, []string{ours}, "1"},
		"one variable":       {[]string{"show", "list"}, []string{"A=b"}, []string{"A=b", ours}, "1"},
		"two variables":      {[]string{"show", "--log", ""}, []string{"A=b", "C="}, []string{"A=b", "C=", ours}, "1"},
		"many":               {append([]string{"show"}, many[:300]...), many, append(slices.Clone(many), ours), "1"},
		"no argument":        {nil, []string{"A=b"}, []string{"A=b", ours}, "1"}, // Linux 5.18 and newer give it an empty one
		"that of the caller": {[]string{"show"}, []string{"GOMAXPROCS=2", "A=b"}, []string{"GOMAXPROCS=2", "A=b"}, "2"},
		"empty":              {[]string{"show"}, []string{"A=b", "GOMAXPROCS="}, []string{"A=b", "GOMAXPROCS="}, ""},
	} {
		out := start(t, program, c.args, c.env)
		args := c.args
		if len(args) == 0 {
			args = []string{""}
		}
		var want bytes.Buffer
		for _, a := range args {
			fmt.Fprintf(&want, "%q\n", a)
		}
		for _, v := range c.want {
			fmt.Fprintln(&want, v)
		}
		first, rest, _ := strings.Cut(out, "\n")
		if rest != want.String() {
			t.Errorf("%s: %.300q, expected %.300q", name, rest, want.String())
		}
		if procs, _, _ := strings.Cut(first, " "); c.procs != "" && procs != c.procs {
			t.Errorf("%s: GOMAXPROCS is %s, expected %s", name, procs, c.procs)
		}
		if !strings.Contains(first, " true ") {
			t.Errorf("%s: the caller's timer slack is not known: %q", name, first)
		}
	}
}

// start runs a program with exactly these arguments and variables.
func start(t *testing.T, program string, args, env []string) string {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if env == nil {
		env = []string{}
	}
	p, err := os.StartProcess(program, args, &os.ProcAttr{Env: env, Files: []*os.File{nil, out, out}})
	if err != nil {
		t.Fatal(err)
	}
	state, err := p.Wait()
	text, readErr := os.ReadFile(out.Name())
	if err != nil || readErr != nil || state.Sys().(syscall.WaitStatus) != 0 {
		t.Fatalf("%v, %v, %v: %s", err, readErr, state, text)
	}
	return string(text)
}
