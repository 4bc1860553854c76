// SPDX-License-Identifier: Apache-2.0

package script

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdSkiff implements "[!] skiff [-code N] ARG...".
func cmdSkiff(ts *testscript.TestScript, neg bool, args []string) {
	want := 0
	if len(args) > 1 && args[0] == "-code" {
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		want, args = n, args[2:]
	}
	r := runSkiff(ts, args...)
	if neg && r.code == 0 {
		ts.Fatalf("skiff succeeded")
	}
	if !neg && r.code != want {
		ts.Fatalf("skiff: exit status %d, want %d", r.code, want)
	}
}

func runSkiff(ts *testscript.TestScript, args ...string) *result {
	env := []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "TMPDIR=" + ts.Getenv("TMPDIR")}
	if s := ts.Getenv("NOTIFY_SOCKET"); s != "" {
		env = append(env, "NOTIFY_SOCKET="+s)
	}
	r, err := worldOf(ts).run(ts.MkAbs("."), env, args...)
	ts.Check(err)
	_, err = ts.Stdout().Write([]byte(r.stdout))
	ts.Check(err)
	_, err = ts.Stderr().Write([]byte(r.stderr))
	ts.Check(err)
	return r
}

// cmdStatus implements "status ID STATUS".
func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: status ID STATUS")
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		r, err := worldOf(ts).run(ts.MkAbs("."), os.Environ(), "state", args[0])
		ts.Check(err)
		if r.code == 0 && strings.Contains(r.stdout, `"status": "`+args[1]+`"`) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("not %s after %v: %s%s", args[1], patience, r.stdout, r.stderr)
		}
	}
}

// cmdClean implements "clean". It gives killed processes some time to vanish.
func cmdClean(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: clean")
	}
	var left []string
	for range 100 {
		var err error
		left, err = worldOf(ts).leftovers()
		ts.Check(err)
		if len(left) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Fatalf("left behind: %s", strings.Join(left, "\n"))
}

// cmdBundle implements "bundle [-bare] DIR [PATCH]".
func cmdBundle(ts *testscript.TestScript, neg bool, args []string) {
	bare := len(args) > 0 && args[0] == "-bare"
	if bare {
		args = args[1:]
	}
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: bundle [-bare] DIR [PATCH]")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir+"/rootfs", 0o755))
	if !bare {
		ts.Check(fillRootfs(dir + "/rootfs"))
	}
	w := worldOf(ts)
	ts.Check(w.giveToUser(dir))
	ts.Setenv("CGROUP_"+filepath.Base(dir), w.groupDir(filepath.Base(dir)))
	patch, err := w.spec(dir)
	ts.Check(err)
	config := dir + "/config.json"
	ts.Check(patchFile(config, patch))
	if len(args) == 2 {
		ts.Check(patchText(config, args[1]))
	}
}

// cmdPatch implements "patch FILE PATCH"; a PATCH that begins with @ names a file with
// the patch.
func cmdPatch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: patch FILE PATCH")
	}
	patch := args[1]
	if file, ok := strings.CutPrefix(patch, "@"); ok {
		patch = ts.ReadFile(file)
	}
	ts.Check(patchText(ts.MkAbs(args[0]), patch))
}

// cmdJSON implements "[!] json FILE PATH [VALUE]".
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: [!] json FILE PATH [VALUE]")
	}
	got, found, err := lookup([]byte(ts.ReadFile(args[0])), args[1])
	ts.Check(err)
	ok := found
	if len(args) == 3 {
		ok = found && equalJSON(got, args[2])
	}
	if ok == neg {
		ts.Fatalf("%s is %s (found: %v)", args[1], compact(got), found)
	}
}
