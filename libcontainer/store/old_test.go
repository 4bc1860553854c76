// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Records of every version can be read. The files never change: each was written by the
// first version with that form, from the values of full. The newest is first; lacks
// removes the values that the version did not have yet.
func TestVersions(t *testing.T) {
	nothing := func(*Record) {}
	want := full()
	for _, version := range []struct {
		file  string
		lacks func(r *Record)
	}{
		{"2/tail.state", nothing},
		{"2/inode.state", func(r *Record) { r.Writer, r.unknown = "", nil }},
		{"2/sum.state", func(r *Record) { r.Inode = 0 }},
		{"2/mounts.state", nothing},
		{"2/first.state", func(r *Record) { r.Mounts = nil }},
		{"1/unit.state", nothing},
		{"1/master.state", func(r *Record) { r.Unit = Unit{} }},
		{"1/rdt.state", func(r *Record) { r.Network.Devices[0].Master, r.Network.Devices[0].Routes = 0, nil }},
		{"1/netdev.state", func(r *Record) { r.RDT = RDT{} }},
		{"1/keyring.state", func(r *Record) { r.Network = Network{} }},
		{"1/first.state", func(r *Record) { r.NoKeyring = false }},
		{"0/under.state", func(r *Record) { r.Annotations["b c"] = "d" }}, // JSON has no other bytes
		{"0/first.state", func(r *Record) { r.Under = 0 }},
	} {
		version.lacks(want)
		judgeFile(t, version.file, want)
	}
	judgeFile(t, "1/created.state", created(t, "2026-11-28T23:28:23.463309226Z", 123277))
	judgeFile(t, "2/created.state", created(t, "2026-11-28T23:28:23.567769129Z", 123287))
}

// created is the record of a simple container after create.
func created(t *testing.T, when string, startTime uint64) *Record {
	at, err := time.Parse(time.RFC3339Nano, when)
	if err != nil {
		t.Fatal(err)
	}
	return &Record{
		Created: at, StartTime: startTime,
		OCIVersion: "1.3.0", ID: "web", Bundle: "/b", Rootfs: "/b/rootfs", Annotations: map[string]string{"a": "b"},
		Pid: 24, BootID: "bb014a0b-8bce-4579-a194-f8f2ad38b3a1", Namespaces: 1845624832,
		Cgroups: map[string]string{"": "/sys/fs/cgroup/web"}, Hooks: true, First: 64,
		Tail: []Step{
			{Op: "listen"}, {Op: "keepfds"}, {"rlimit", "process.rlimits[0]", []string{"RLIMIT_NOFILE"}},
			{Op: "nonewprivs", Field: "process.noNewPrivileges"}, {"exec", "process.args[0]", []string{"sleep"}},
		},
	}
}

// judgeFile reads a file as the record of a container, and writes it again.
func judgeFile(t *testing.T, file string, want *Record) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	_, e := entry(t)
	name := recordFile
	if file[0] == '0' {
		name = oldFile
	}
	e.Writer = want.Writer
	if err := errors.Join(e.dir().Unlink(recordFile), os.WriteFile(filepath.Join(e.Path(), name), b, 0o600), e.PutConfig(nil)); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"", ": written again"} {
		r, err := e.Read()
		if err != nil || !reflect.DeepEqual(r, want) {
			t.Errorf("%s%s: %v\n%+v\nexpected\n%+v", file, when, err, r, want)
			return
		}
		if err := e.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Remove(); err != nil || e.Exists() {
		t.Errorf("%s: removed: %v", file, err)
	}
}

// The test above has every file of testdata, so that none is forgotten.
func TestVersionsKnown(t *testing.T) {
	var have []string
	for _, form := range []string{"0", "1", "2"} {
		files, err := filepath.Glob("testdata/" + form + "/*.state")
		if err != nil {
			t.Fatal(err)
		}
		have = append(have, files...)
	}
	if want := 15; len(have) != want {
		t.Errorf("%d files, expected %d: %v", len(have), want, have)
	}
	if b, err := os.ReadFile("testdata/2/tail.state"); err != nil || !bytes.Equal(b, full().encode()) {
		t.Errorf("%v: what is written now is not in the newest file:\n%s", err, full().encode())
	}
}

// A damaged record of form 0 still counts as a container.
func TestDamagedForm0(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "unexpected end",
		"{\"version\":1,\"id\":\"we":       "unexpected end",
		"{\"version\":2,\"id\":\"web\"}":   "version 2",
		"{\"version\":1,\"pid\":-1}":       "pid -1",
		"{\"version\":1,\"id\":\"other\"}": `belongs to container "other"`,
		"{\"version\":1,\"id\":\"web\",\"tail\":[{\"kind\":99}]}": "must be a number from 1",
	} {
		_, e := entry(t)
		if err := errors.Join(e.dir().Unlink(recordFile), os.WriteFile(filepath.Join(e.Path(), oldFile), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		if r, err := e.Read(); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), oldFile) {
			t.Errorf("%q: %+v, %v; want %q", text, r, err, want)
		}
	}
}
