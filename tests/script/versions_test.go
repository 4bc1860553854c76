// SPDX-License-Identifier: Apache-2.0

package script

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/tests/isolate"
)

// otherVersion is a version of skiff that creates a container which this version then
// takes over. write turns a record of this version into one of the other, and file is its
// name in the container's directory. keeps are lines that must stay in the record
// whichever version writes it next.
type otherVersion struct {
	name  string
	file  string
	write func(record string) string
	keeps []string
}

func otherVersions() []otherVersion {
	future := []string{`future "x y" 7`, "bare", `open "quote`}
	return []otherVersion{
		{"newer", "state", func(s string) string {
			s = strings.Replace(s, "\npid ", "\n"+future[0]+"\npid ", 1)
			s = strings.Replace(s, "\nend\n", "\ntail \"future\" \"process.future\" \"x\"\n"+future[1]+"\n"+future[2]+"\nend\n", 1)
			return reseal(s)
		}, append(future, `tail "future" "process.future" "x"`)},
		{"form 2 with numbers", "state", func(s string) string { return reseal(withSteps(s)) }, nil},
		{"form 2 without checksum", "state", func(s string) string { return unsealed(withSteps(s)) }, nil},
		{"form 1", "state", func(s string) string { return form1(s, 0) }, nil},
		{"form 1 at first", "state", func(s string) string { return form1(s, 1) }, nil},
		{"form 0", "state.json", form0, nil},
	}
}

// withSteps writes the operations left for start as the first version of form 2 did.
func withSteps(record string) string {
	var b strings.Builder
	for line := range strings.Lines(record) {
		if rest, ok := strings.CutPrefix(line, "tail "); ok {
			op, rest, _ := strings.Cut(rest, " ")
			line = "step " + op + ` "0" ` + rest
		}
		if !strings.HasPrefix(line, "writer ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func unsealed(record string) string {
	return record[:strings.Index(record, "\nsum ")+1]
}

// steps1 has the numbers of operations in form 1.
var steps1 = map[string]int{"nonewprivs": 42, "capset": 40, "seccomp": 43, "rlimit": 47, "keepfds": 55, "listen": 56, "exec": 57}

// form1 turns a record into one of form 1. before is how much lower the numbers of the
// operations after "attr" are.
func form1(record string, before int) string {
	record = strings.Replace(withSteps(record), "skiff state 2\n", "skiff state 1\n", 1)
	for name, n := range steps1 {
		if n > 54 {
			n -= before
		}
		record = strings.ReplaceAll(record, "\nstep "+strconv.Quote(name)+" ", "\nstep "+strconv.Quote(strconv.Itoa(n))+" ")
	}
	return record[:strings.Index(record, "\nend\n")+1]
}

// form0 turns a record into one of form 0.
func form0(record string) string {
	all := map[string]any{"version": 1, "hooks": true, "cgroups": map[string]string{}}
	cgroups, tail := map[string]string{}, []map[string]any{}
	for line := range strings.Lines(form1(record, 1)) {
		f := strings.Fields(line)
		word := func(i int) string { s, _ := strconv.Unquote(f[i]); return s }
		switch f[0] {
		case "ociVersion", "id", "bundle", "rootfs", "created", "bootID":
			all[f[0]] = word(1)
		case "pid", "startTime", "namespaces", "first":
			all[f[0]] = json.Number(f[1])
		case "cgroup":
			cgroups[word(1)] = word(2)
		case "step":
			step := map[string]any{"kind": json.Number(word(1)), "flags": 7, "field": word(3)}
			if len(f) > 4 {
				step["words"] = []string{word(4), "A=b"}
			}
			tail = append(tail, step)
		}
	}
	all["cgroups"], all["tail"] = cgroups, tail
	b, _ := json.Marshal(all)
	return string(b)
}

// TestOtherVersions checks that this version can handle a container that another version
// created.
func TestOtherVersions(t *testing.T) {
	isolate.Require(t)
	for _, v := range otherVersions() {
		t.Run(v.name, func(t *testing.T) { v.test(t) })
	}
}

func (v *otherVersion) test(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(dir, "script-versions-"+strings.ReplaceAll(v.name, " ", "-"))
	t.Cleanup(func() {
		if err := w.remove(); err != nil {
			t.Error(err)
		}
	})
	call := func(args ...string) *result {
		t.Helper()
		r, err := w.run(dir, os.Environ(), args...)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	must := func(want string, args ...string) {
		t.Helper()
		if r := call(args...); r.code != 0 || !strings.Contains(r.stdout, want) {
			t.Errorf("%q: %+v", args, r)
		}
	}
	for name, text := range map[string]string{"none.json": "{}", "mounts.json": `[{"destination": "/added", "type": "tmpfs", "source": "tmpfs"}]`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for id, program := range map[string]string{"web": `"sleep", "1000"`, "bad": `"/garbage"`} {
		b := badInput{patch: `{"root": {"readonly": false}, "process": {"args": [` + program + `]}, "hooks": {"poststop": [{"path": "/bin/sh", "args": ["sh", "-c", "echo ` + id + ` >>` + dir + `/log"]}]}}`}
		b.bundle(t, w, filepath.Join(dir, id))
		if err := os.WriteFile(filepath.Join(dir, id, "rootfs/garbage"), []byte("no program\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if r := call("create", "--bundle", id, "--pid-file", id+".pid", id); r.code != 0 {
			t.Fatal(r)
		}
		v.rewrite(t, filepath.Join(w.root, id))
	}
	if r := call("start", "bad"); r.code == 0 || !strings.Contains(r.stderr, `exec: \"/garbage\": exec format error`) {
		t.Errorf("start of what is no program: %+v", r)
	}
	must(`"status": "created"`, "state", "web")
	must("", "start", "web")
	must("", "exec", "web", "true")
	must("", "kill", "web", "WINCH")
	must("", "pause", "web")
	must("paused", "list")
	must("", "resume", "web")
	must("", "update", "--resources", "none.json", "web") // with any controllers
	must("sleep", "ps", "web")
	must(`"pids"`, "events", "--stats", "web")
	must("", "mounts", "add", "web", "mounts.json") // this writes the record
	must(`"status": "running"`, "state", "web")
	v.judgeRecord(t, filepath.Join(w.root, "web", "state"))
	must("", "exec", "web", "grep", "-q", " /added ", "/proc/self/mountinfo")
	must("", "delete", "--force", "web")
	must("", "delete", "bad")
	if left, err := os.ReadDir(w.root); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if log, err := os.ReadFile(filepath.Join(dir, "log")); err != nil || string(log) != "web\nbad\n" {
		t.Errorf("poststop hooks have written %q, %v", log, err)
	}
}

// rewrite replaces the record by one of the other version.
func (v *otherVersion) rewrite(t *testing.T, dir string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	text := v.write(string(b))
	err = errors.Join(os.Remove(filepath.Join(dir, "state")), os.Remove(filepath.Join(dir, "state.spare")), os.Remove(filepath.Join(dir, "init")))
	if err := errors.Join(err, os.WriteFile(filepath.Join(dir, v.file), []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// judgeRecord checks the record that this version has written.
func (v *otherVersion) judgeRecord(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range append([]string{`tail "exec" "process.args[0]" "sleep"`, "hooks 1"}, v.keeps...) {
		if strings.Count(string(b), "\n"+line+"\n") != 1 {
			t.Errorf("%q is not in the record:\n%s", line, b)
		}
	}
	if strings.Contains(string(b), "\nstep ") {
		t.Errorf("there are steps by number in the record:\n%s", b)
	}
}
