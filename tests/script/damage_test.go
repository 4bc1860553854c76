// SPDX-License-Identifier: Apache-2.0

package script

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/tests/isolate"
	"golang.org/x/sys/unix"
)

// damage is damage to the state directory of a container. problem is part of the message
// about it; it is empty if the container is still usable.
type damage struct {
	name    string
	do      func(dir string) error
	problem string
}

func damages() []damage {
	record := func(do func(path string) error) func(string) error {
		return func(dir string) error { return do(dir + "/state") }
	}
	instead := func(make func(path string) error) func(string) error {
		return record(func(path string) error { return errors.Join(os.Remove(path), make(path)) })
	}
	text := func(change func(string) string) func(string) error {
		return record(func(path string) error {
			b, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(path, []byte(change(string(b))), 0o600))
		})
	}
	return []damage{
		{"empty", text(func(string) string { return "" }), "it is empty"},
		{"garbage", text(func(string) string { return "\x00\x01{}" }), "it begins with"},
		{"cut off in a line", text(func(s string) string { return s[:len(s)/2] }), "within a line"},
		{"cut off after a line", text(func(s string) string { return s[:strings.Index(s, "\npid ")+1] }), "last line"},
		{"first line alone", text(func(s string) string { return s[:strings.Index(s, "\n")+1] }), "last line"},
		{"no number", text(func(s string) string { return strings.Replace(s, "\npid ", "\npid x", 1) }), "invalid syntax"},
		{"newer form", text(func(s string) string { return reseal(ofForm(92, s)) }), "it was written by skiff 9.8.7 in format 92, but this skiff supports only formats up to 2"},
		{"newer form damaged", text(func(s string) string { return ofForm(92, s) }), "it begins with"},
		{"unknown key", text(func(s string) string {
			return strings.Replace(s[:strings.Index(s, "\nsum ")+1], "\npid ", "\nfuture \"x\" 7\npid ", 1)
		}), ""},
		{"unknown key at the end", text(func(s string) string { return s + "future \"x\" 7\n" }), ""},
		{"another's", text(func(string) string { return "skiff state 2\nid \"db\"\npid 1\ncgroup \"\" \"/sys/fs/cgroup\"\nend\n" }), `it belongs to container "db"`},
		{"another's cgroup", text(func(s string) string {
			before, after, _ := strings.Cut(s, "\ncgroup ")
			return before + "\ncgroup " + strings.NewReplacer("/web\"\n", "/db\"\n", "-web.scope\"\n", "-db.scope\"\n").Replace(after)
		}), "its checksum is"},
		{"missing", record(os.Remove), "it is missing"},
		{"directory", instead(func(path string) error { return os.MkdirAll(path+"/a", 0o700) }), "a directory"},
		{"FIFO", instead(func(path string) error { return unix.Mkfifo(path, 0o600) }), "a FIFO"},
		{"symlink", instead(func(path string) error { return os.Symlink("/dev/zero", path) }), "a symlink"},
		{"sparse", record(func(path string) error { return os.Truncate(path, 1<<40) }), "must not be larger than 64 MiB"},
		{"all but the symlink", func(dir string) error {
			return errors.Join(os.Truncate(dir+"/state", 0), os.Truncate(dir+"/state.spare", 0))
		}, "it is empty"},
		{"all but the spare record", func(dir string) error {
			return errors.Join(os.Truncate(dir+"/state", 0), os.Remove(dir+"/init"))
		}, "it is empty"},
		{"configuration, too", func(dir string) error {
			return errors.Join(os.Truncate(dir+"/state", 0), os.Remove(dir+"/config.json"), unix.Mkfifo(dir+"/config.json", 0o600))
		}, "it is empty"},
	}
}

// ofForm changes a record to another form, written by another version of skiff.
func ofForm(form int, record string) string {
	_, rest, _ := strings.Cut(record, "\n")
	first, rest, _ := strings.Cut(rest, "\n")
	if !strings.HasPrefix(first, "writer ") {
		rest = first + "\n" + rest
	}
	return fmt.Sprintf("skiff state %d\nwriter \"9.8.7\"\n%s", form, rest)
}

// reseal gives a record that was changed the right checksum.
func reseal(record string) string {
	text := record[:strings.Index(record, "\nend\n")] + "\nend\n"
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(text))
	return fmt.Sprintf("%ssum \"%016x\"\n", text, sum.Sum64())
}

// TestDamages checks what can be done with a container whose record is damaged: list
// names the problem, other verbs fail and say what to do, and delete --force removes the
// container. Nothing hangs, and other containers are not affected.
func TestDamages(t *testing.T) {
	isolate.Require(t)
	for _, d := range damages() {
		t.Run(d.name, func(t *testing.T) { d.test(t) })
	}
}

func (d *damage) test(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(dir, "script-damage-"+strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return '-'
		}
		return r
	}, d.name))
	t.Cleanup(func() {
		_ = os.Remove(w.groupDir("web"))
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
	if err := os.WriteFile(filepath.Join(dir, "none.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"web", "db"} {
		b := badInput{patch: `{"process": {"args": ["sleep", "1000"]}, "hooks": {"poststop": [{"path": "/bin/sh", "args": ["sh", "-c", "echo ` + id + ` >>` + dir + `/log"]}]}}`}
		b.bundle(t, w, filepath.Join(dir, id))
		if r := call("run", "--detach", "--bundle", id, "--pid-file", id+".pid", id); r.code != 0 {
			t.Fatal(r)
		}
	}
	if err := d.do(filepath.Join(w.root, "web")); err != nil {
		t.Fatal(err)
	}
	d.judgeList(t, call("list"))
	for _, args := range [][]string{
		{"state", "web"}, {"kill", "web", "WINCH"}, {"exec", "web", "true"}, {"update", "--resources", "none.json", "web"},
		{"pause", "web"}, {"resume", "web"}, {"ps", "web"}, {"events", "--stats", "web"},
	} {
		d.judge(t, args, call(args...))
	}
	if r := call("delete", "--force", "web"); r.code != 0 || !strings.Contains(r.stderr, d.problemQuoted()) {
		t.Errorf("delete --force: %+v", r)
	}
	d.judgeEnd(t, w)
	if r := call("state", "db"); r.code != 0 || !strings.Contains(r.stdout, "running") {
		t.Errorf("the other container: %+v", r)
	}
}

func (d *damage) judgeList(t *testing.T, r *result) {
	t.Helper()
	if r.code != 0 || !strings.Contains(r.stdout, "\ndb ") {
		t.Errorf("list: the other container is not there: %+v", r)
	}
	if whole := strings.Contains(r.stdout, "\nweb "); whole != (d.problem == "") {
		t.Errorf("list: %+v", r)
	}
	if d.problem != "" && (!strings.Contains(r.stderr, "container web: ") || !strings.Contains(r.stderr, d.problemQuoted())) {
		t.Errorf("list does not say what is damaged: %+v", r)
	}
}

// problemQuoted is the problem as the log quotes it.
func (d *damage) problemQuoted() string { return strings.ReplaceAll(d.problem, `"`, `\"`) }

func (d *damage) judge(t *testing.T, args []string, r *result) {
	t.Helper()
	if d.problem == "" {
		if r.code != 0 {
			t.Errorf("%q: %+v", args, r)
		}
		return
	}
	for _, want := range []string{d.problemQuoted(), "delete --force web", "/web/state"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("%q: %q is missing in %q", args, want, r.stderr)
		}
	}
	if r.code == 0 || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("%q: %+v", args, r)
	}
}

// judgeEnd checks that the container has ended, and that its poststop hooks ran.
func (d *damage) judgeEnd(t *testing.T, w *world) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(w.work, "web.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && !strings.Contains(string(stat), ") Z ") {
		t.Errorf("it is alive: %s", stat)
	}
	if _, err := os.Stat(filepath.Join(w.root, "web")); err == nil {
		t.Error("the state directory is there")
	}
	if _, err := os.Stat(w.groupDir("web")); err == nil && d.name != "all but the symlink" { // without the symlink, skiff does not know the cgroup
		t.Error("the cgroup is there")
	}
	log, _ := os.ReadFile(filepath.Join(w.work, "log"))
	want := "web\n"
	if d.name == "configuration, too" {
		want = ""
	}
	if string(log) != want {
		t.Errorf("poststop hooks have written %q, want %q", log, want)
	}
}
