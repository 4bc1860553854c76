// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/netdev"
)

// full is a record in which every value is set.
func full() *Record {
	return &Record{
		Writer: "0.2.0", OCIVersion: "1.3.0", ID: "web", Bundle: "/b \"quoted\"\n", Rootfs: "/b/rootfs",
		Created:     time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		Annotations: map[string]string{"a": "", "b c": "d\xff\x01", "": "x"},
		Pid:         42, StartTime: 1 << 63, Inode: 1<<64 - 1, BootID: "boot", Namespaces: 7,
		Cgroups: map[string]string{"": "/sys/fs/cgroup/web", "cpu": "/c"},
		Unit:    Unit{"web.scope", true},
		RDT:     RDT{"/sys/fs/resctrl/gold", "/sys/fs/resctrl/gold/mon_groups/web", true},
		Network: Network{"/run/netns/a b", []netdev.Device{
			{Name: "eth0", Index: 2, Up: true, NewName: "eth%d", NewIndex: 3, Master: 7, Addresses: []string{"\x02\x18\x80\x00\xff", ""}, Routes: []string{"\x00", "r"}},
			{Name: "a\"b", NewName: "c", NewIndex: 1<<32 - 1},
		}},
		Under: 9, Hooks: true, NoKeyring: true, First: 3,
		Mounts: []Mount{{1 << 40, "/data"}, {1<<40 + 1, "/a \"b\""}},
		Tail: []Step{
			{Op: "listen"}, {"rlimit", "process.rlimits[0]", []string{"RLIMIT_NOFILE"}},
			{Op: "nonewprivs", Field: "process.noNewPrivileges"}, {"exec", "process.args[0]", []string{"sh"}},
		},
		unknown: []string{`future "x" 7`, "bare"},
	}
}

// The tests below depend on full having every value.
func TestFull(t *testing.T) {
	r := reflect.ValueOf(full()).Elem()
	for i := range r.NumField() {
		if r.Field(i).IsZero() {
			t.Errorf("%s is missing", r.Type().Field(i).Name)
		}
	}
}

// unsealed returns a record without its checksum, as older versions wrote it.
func unsealed(r *Record) string {
	text := r.encode()
	return string(text[:bytes.Index(text, sumBegins)+len("\nend\n")])
}

func TestRecord(t *testing.T) {
	for _, r := range []*Record{full(), {ID: "web"}, {ID: "web", Annotations: map[string]string{"\x00": "\x7f\n"}}, {Unit: Unit{User: true}, RDT: RDT{Monitor: "m"}}} {
		got, err := decode(r.encode())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, r) {
			t.Errorf("decoded\n%+v\nexpected\n%+v", got, r)
		}
		if again := got.encode(); !bytes.Equal(again, r.encode()) {
			t.Errorf("written again\n%s\nexpected\n%s", again, r.encode())
		}
	}
}

// A record has no numbers that only this program defines: operations are words.
func TestStepsAreWords(t *testing.T) {
	text := string(full().encode())
	for _, want := range []string{
		"\ntail \"listen\" \"\"\n", "\ntail \"rlimit\" \"process.rlimits[0]\" \"RLIMIT_NOFILE\"\n", "\ntail \"exec\" \"process.args[0]\" \"sh\"\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestRecordRefused(t *testing.T) {
	const begin, end = "skiff state 2\n", "end\n"
	dev := func(index, up, newIndex, master string) string {
		return fmt.Sprintf("netdev \"a\" %q %q \"b\" %q %q\n", index, up, newIndex, master)
	}
	for text, want := range map[string]string{
		"":                                          "empty",
		"\x00\x00":                                  "begins with",
		"{\"ociVersion\": \"1.0\"}":                 "begins with",
		"skiff state x\n":                           "begins with",
		"skiff state 0\n":                           "begins with",
		"skiff state 3\n":                           "begins with",
		"skiff state 3\nid \"web\"\nend\n":          "begins with",
		begin:                                       "last line",
		begin + "id \"web\"\n":                      "last line",
		begin + "id \"web\"\nend":                   "within a line",
		"skiff state 1\nid \"web\"":                 "within a line",
		begin + "pid x\n" + end:                     "invalid syntax",
		begin + "id \"x\n" + end:                    "invalid syntax",
		begin + "id\n" + end:                        "expected 1",
		begin + "\n" + end:                          "it has no valid key",
		begin + "!\n" + end:                         "it has no valid key",
		begin + "pid -1\n" + end:                    "invalid syntax",
		begin + "pid 4294967296\n" + end:            "out of range",
		begin + "pid \"1\" \"2\"\n" + end:           "2 values, expected 1",
		begin + "unit \"a\" \"true\" \"b\"\n" + end: "3 values, expected 2",
		begin + "hooks 2\n" + end:                   "invalid syntax",
		begin + "created \"x\"\n" + end:             "cannot parse",
		begin + "tail \"exec\"\n" + end:             "expected 2",
		begin + dev("x", "true", "1", "2") + end:    "invalid syntax",
		begin + dev("1", "x", "1", "2") + end:       "invalid syntax",
		begin + dev("1", "true", "x", "2") + end:    "invalid syntax",
		begin + dev("1", "true", "1", "x") + end:    "invalid syntax",
		begin + "\x00\x00\n" + end:                  "it is not valid text",
		begin + "id \"\xff\"\n" + end:               "it is not valid text",
		begin + "step \"1\" \"2\"\n" + end:          "expected 3",
		begin + "netdev \"a\" \"1\"\n" + end:        "expected 6",
		begin + "netroutes \"a\"\n" + end:           "it must follow a network device",
		"skiff state 1\nstep \"exec\" \"2\" \"\"\n": "a number from 1",
		"skiff state 1\nstep \"99\" \"2\" \"\"\n":   "a number from 1 to 59",
		"skiff state 1\nstep \"0\" \"2\" \"\"\n":    "a number from 1 to 59",
	} {
		if r, err := decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, error %v; expected %q", text, r, err, want)
		}
	}
}

// Lines of a newer version are kept, whatever their position and content.
func TestUnknownKeys(t *testing.T) {
	lines := []string{`futureA "x y" 3`, `futureB`, `futureC "not closed`, `futureD [1, "2"]`, "futureE \xc3\xa9 \\"}
	whole := full()
	whole.unknown = nil
	text := unsealed(whole)
	for _, line := range lines[1:] {
		text = strings.Replace(text, "\npid", "\n"+line+"\npid", 1)
	}
	r, err := decode(append(seal([]byte(text)), lines[0]+"\n"...)) // even after the checksum
	if err != nil {
		t.Fatal(err)
	}
	again := string(r.encode())
	for _, line := range lines {
		if strings.Count(again, "\n"+line+"\n") != 1 {
			t.Errorf("%s is lost: %s", line, again)
		}
	}
	r.unknown = nil
	if !reflect.DeepEqual(r, whole) {
		t.Errorf("decoded\n%+v\nexpected\n%+v", r, whole)
	}
}

// A record names this version as its writer, whoever wrote it before.
func TestWriter(t *testing.T) {
	_, e := entry(t)
	e.Writer = "1.2.3"
	for name, write := range map[string]func(*Record) error{
		"Write":   e.Write,
		"Prepare": func(r *Record) error { return errors.Join(e.Prepare(r), e.Commit()) },
	} {
		if err := write(full()); err != nil {
			t.Fatal(err)
		}
		r, err := e.Read()
		if err != nil || r.Writer != "1.2.3" || !reflect.DeepEqual(r.unknown, full().unknown) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// newer returns a record of a form that is not known yet.
func newer(form int, text string) []byte {
	return seal(fmt.Appendf(nil, "%s%d\n%send\n", header, form, text))
}

// A form that is too new is refused with an error that names the version that wrote it.
func TestNewerForm(t *testing.T) {
	for text, want := range map[string]string{
		"writer \"9.8.7\"\nid \"web\"\n":             "it was written by skiff 9.8.7 in format 7, but this skiff supports only formats up to 2",
		"what ever\n[[\nwriter \"9.8.7\"\npid x y\n": "it was written by skiff 9.8.7 in format 7, but this skiff supports only formats up to 2",
		"id \"web\"\n": "it was written by skiff of an unknown version in format 7, but this skiff supports only formats up to 2",
	} {
		_, e := entry(t)
		path := filepath.Join(e.Path(), recordFile)
		if err := os.WriteFile(path, newer(7, text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Read(); !errors.Is(err, ErrDamaged) || err.Error() != "the record "+path+": "+want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What is needed to end a container is found in a form that is too new, even without the
// spare record and the symlink.
func TestNewerFormEnded(t *testing.T) {
	_, e := entry(t)
	text := newer(7, "writer \"9\"\nid \"web\"\npid 42\nstartTime 5\nbootID \"boot\"\n[new]\ncgroup \"\" \"/sys/fs/cgroup/web\"\nunit \"web.scope\" \"true\"\n")
	if err := os.WriteFile(filepath.Join(e.Path(), recordFile), text, 0o600); err != nil {
		t.Fatal(err)
	}
	want := &Record{
		ID: "web", Pid: 42, StartTime: 5, BootID: "boot", Cgroups: map[string]string{"": "/sys/fs/cgroup/web"},
		Unit: Unit{"web.scope", true}, Hooks: true,
	}
	if r, err := e.Read(); !errors.Is(err, ErrDamaged) || !reflect.DeepEqual(r, want) {
		t.Errorf("%+v, %v; expected %+v", r, err, want)
	}
}

// Damage is never mistaken for a newer form, wherever the record is cut off, and whichever
// single bit of it has changed.
func TestDamageIsNoVersion(t *testing.T) {
	for _, text := range [][]byte{full().encode(), newer(12, "writer \"9\"\nid \"web\"\n")} {
		for n := range len(text) {
			judgeDamage(t, text[:n], fmt.Sprintf("cut off after %d bytes", n))
			judgeDamage(t, append(bytes.Clone(text[:n]), make([]byte, len(text)-n)...), fmt.Sprintf("zeros after %d bytes", n))
		}
		for i := range len(text) * 8 {
			b := bytes.Clone(text)
			b[i/8] ^= 1 << (i % 8)
			judgeDamage(t, b, fmt.Sprintf("bit %d of byte %d", i%8, i/8))
		}
	}
}

func judgeDamage(t *testing.T, b []byte, what string) {
	t.Helper()
	_, err := At("/nowhere", "web").judge(recordFile, b, nil, decode)
	if err != nil && (!strings.Contains(err.Error(), " is damaged: ") || strings.Contains(err.Error(), "wrote it") || strings.Contains(err.Error(), "version of skiff")) {
		t.Fatalf("%s: %v", what, err)
	}
}

// A record that is cut off anywhere is detected, and what is left suffices to find the
// container if it has the lines for that.
func TestCutOff(t *testing.T) {
	text := string(full().encode())
	for n := range len(text) - 1 {
		if r, err := decode([]byte(text[:n])); err == nil && n != len(unsealed(full())) {
			t.Fatalf("cut off after %d bytes of %d: %+v", n, len(text), r)
		}
		r := gather(text[:n])
		if r.Pid != 0 && r.Pid != 42 || r.StartTime != 0 && r.StartTime != 1<<63 {
			t.Fatalf("cut off after %d bytes: pid %d, start time %d", n, r.Pid, r.StartTime)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(full().encode())
	f.Add(bytes.Replace([]byte(unsealed(full())), []byte("\npid"), []byte("\nfuture \"x\"\npid"), 1))
	f.Add([]byte("skiff state 1\nid \"web\"\nstep \"58\" \"0\" \"\"\n"))
	f.Add([]byte("skiff state 2\npid -1\nend\n"))
	f.Add([]byte("skiff state 2\nunit \"\" \"true\"\nrdt \"\" \"m\" \"true\"\nend\n"))
	files, err := filepath.Glob("testdata/[0-9]/*.state")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		gather(string(b)) // whatever it is
		_, _ = decode0(b)
		r, err := decode(b)
		if err != nil {
			return
		}
		again, err := decode(r.encode())
		if err != nil {
			t.Fatal(err)
		}
		if r.Created.Equal(again.Created) {
			again.Created = r.Created
		}
		if !reflect.DeepEqual(r, again) {
			t.Errorf("decoded\n%+v\nthen\n%+v", r, again)
		}
		if !bytes.Equal(r.encode(), again.encode()) {
			t.Errorf("written\n%s\nthen\n%s", r.encode(), again.encode())
		}
	})
}

// Whichever single bit of a record changes, the record is never read as a different one.
func TestFlippedBits(t *testing.T) {
	text := full().encode()
	for i := range len(text) * 8 {
		b := bytes.Clone(text)
		b[i/8] ^= 1 << (i % 8)
		r, err := decode(b)
		if err == nil {
			r.unknown = r.unknown[:2] // the name of the checksum's line
		}
		if err == nil && !reflect.DeepEqual(r, full()) {
			t.Fatalf("bit %d of byte %d (%q): %+v", i%8, i/8, text[i/8], r)
		}
	}
}

// An older version keeps the checksum as an unknown line, before the last one, whatever
// else it changes.
func TestSumOfBefore(t *testing.T) {
	text := strings.Replace(unsealed(full()), "\nend\n", "\nsum \"0123456789abcdef\"\nend\n", 1)
	if r, err := decode([]byte(text)); err != nil || !reflect.DeepEqual(r, full()) {
		t.Errorf("%+v, %v", r, err)
	}
}

// The text of the symlink is read as any version wrote it.
func TestLinked(t *testing.T) {
	for text, want := range map[string]*Record{
		"42 7/9 boot": {Pid: 42, StartTime: 7, Inode: 9, BootID: "boot"},
		"42 0/9 ":     {Pid: 42, Inode: 9},
		"42 7/0 boot": {Pid: 42, StartTime: 7, BootID: "boot"},
		"42 7 boot":   {Pid: 42, StartTime: 7, BootID: "boot"}, // without the inode, as in the first versions
		"42 7/x boot": nil,
		"42 /9 boot":  nil,
		"0 7/9 boot":  nil,
		"42":          nil,
		"":            nil,
	} {
		r := new(Record)
		if ok := r.linked(text); ok != (want != nil) || ok && !reflect.DeepEqual(r, want) {
			t.Errorf("%q: %v, %+v", text, ok, r)
		}
	}
}
