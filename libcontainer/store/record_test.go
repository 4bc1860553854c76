package store

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/netdev"
	"github.com/skiff-oci/skiff/libcontainer/program"
)

func full() *Record {
	return &Record{
		OCIVersion: "1.3.0", ID: "web", Bundle: "/b \"quoted\"\n", Rootfs: "/b/rootfs",
		Created:     time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		Annotations: map[string]string{"a": "", "b c": "d\x00\xff", "": "x"},
		Pid:         42, StartTime: 1 << 63, BootID: "boot", Namespaces: 7,
		Cgroups:  map[string]string{"": "/sys/fs/cgroup/web", "cpu": "/c"},
		RDTClass: "/sys/fs/resctrl/gold", RDTMonitor: "/sys/fs/resctrl/gold/mon_groups/web", RDTRemove: true,
		NetNS: "/run/netns/a b",
		NetDevices: []netdev.Device{
			{Name: "eth0", Index: 2, Up: true, NewName: "eth%d", NewIndex: 3, Master: 7, Addresses: []string{"\x02\x18\x80\x00\xff", ""}, Routes: []string{"\x00", "r"}},
			{Name: "a\"b", NewName: "c", NewIndex: 1<<32 - 1},
		},
		Under: 9, Hooks: true, NoKeyring: true, First: 3,
		Tail: []program.Step{{Kind: program.KindNamed("exec"), Flags: 2, Field: "process.args[0]", Words: []string{"sh", "", "-c"}}, {Kind: program.KindNamed("listen"), Words: []string{}}},
	}
}

// unsealed is a record without its checksum, as older versions write it.
func unsealed(r *Record) string {
	text := r.encode()
	return string(text[:bytes.Index(text, sumBegins)+len("\nend\n")])
}

func TestRecord(t *testing.T) {
	for _, r := range []*Record{full(), {ID: "web"}, {ID: "web", Pid: 42, Inode: 1<<64 - 1}} {
		got, err := decode(r.encode())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, r) {
			t.Errorf("decoded\n%+v\nexpected\n%+v", got, r)
		}
	}
}

func TestRecordRefused(t *testing.T) {
	const begin, end = "skiff state 2\n", "end\n"
	for text, want := range map[string]string{
		"":                                          "empty",
		"\x00\x00":                                  "begins with",
		"{\"ociVersion\": \"1.0\"}":                 "begins with",
		"skiff state x\n":                           "begins with",
		"skiff state 3\n":                           "a newer version of skiff",
		begin:                                       "last line",
		begin + "id \"web\"\n":                      "last line",
		begin + "id \"web\"\nend":                   "within a line",
		"skiff state 1\nid \"web\"":                 "within a line",
		begin + "pid x\n" + end:                     "invalid syntax",
		begin + "id \"x\n" + end:                    "invalid syntax",
		begin + "id\n" + end:                        "expected 1",
		begin + "\n" + end:                          "unknown key",
		begin + "!\n" + end:                         "unknown key",
		begin + "\x00\x00\n" + end:                  "no text",
		begin + "id \"\xff\"\n" + end:               "no text",
		begin + "step \"1\" \"2\"\n" + end:          "expected 3",
		begin + "netdev \"a\" \"1\"\n" + end:        "expected 6",
		begin + "netroutes \"a\"\n" + end:           "no device before it",
		"skiff state 1\nstep \"exec\" \"2\" \"\"\n": "a number from 1",
		"skiff state 1\nstep \"99\" \"2\" \"\"\n":   "a number from 1",
	} {
		if r, err := decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, error %v; expected %q", text, r, err, want)
		}
	}
}

// What a newer version has written is kept, wherever it is.
func TestUnknownKeys(t *testing.T) {
	lines := []string{`futureA "x y" 3`, `futureB`}
	text := strings.Replace(unsealed(full()), "\npid", "\n"+lines[0]+"\npid", 1)
	r, err := decode(append(seal([]byte(text)), lines[1]+"\n"...))
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
	if want := full(); !reflect.DeepEqual(r, want) {
		t.Errorf("decoded\n%+v\nexpected\n%+v", r, want)
	}
}

// An operation that only a newer version has is no reason to fail.
func TestUnknownStep(t *testing.T) {
	text := strings.Replace(unsealed(full()), `step "exec"`, `step "future"`, 1)
	if r, err := decode(seal([]byte(text))); err != nil || r.Tail[0].Kind != 0 || r.Tail[0].Field != "process.args[0]" {
		t.Errorf("%+v, %v", r, err)
	}
}

// A record is cut off anywhere: that is seen, and what is left finds the
// container if the lines for that are there.
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

// What every version has written is read. The files of a version never change.
func TestVersions(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.state")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := decode(b)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if again, err := decode(r.encode()); err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%s: written again: %v\n%+v\n%+v", file, err, r, again)
		}
		switch filepath.Base(file) {
		case "full.state":
			if want := full(); !reflect.DeepEqual(r, want) {
				t.Errorf("%s: decoded\n%+v\nexpected\n%+v", file, r, want)
			}
		case "created.state":
			if r.ID != "web" || r.Pid == 0 || r.StartTime == 0 || r.BootID == "" || len(r.Cgroups) == 0 || len(r.Tail) == 0 || r.Tail[len(r.Tail)-1].Kind != program.KindNamed("exec") {
				t.Errorf("%s: %+v", file, r)
			}
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(full().encode())
	f.Add(bytes.Replace([]byte(unsealed(full())), []byte("\npid"), []byte("\nfuture \"x\"\npid"), 1))
	f.Add([]byte("skiff state 1\nid \"web\"\nstep \"58\" \"0\" \"\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		gather(string(b)) // whatever it is
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
	})
}

// Whatever single bit of a record is another, the record is not taken for that
// of anything else.
func TestFlippedBits(t *testing.T) {
	text := full().encode()
	for i := range len(text) * 8 {
		b := bytes.Clone(text)
		b[i/8] ^= 1 << (i % 8)
		r, err := decode(b)
		if err == nil {
			r.unknown = nil // the name of the checksum's line
		}
		if err == nil && !reflect.DeepEqual(r, full()) {
			t.Fatalf("bit %d of byte %d (%q): %+v", i%8, i/8, text[i/8], r)
		}
	}
}

// An older version keeps the checksum as a line that it does not know, in front
// of the last one, whatever else it changes.
func TestSumOfBefore(t *testing.T) {
	text := strings.Replace(unsealed(full()), "\nend\n", "\nsum \"0123456789abcdef\"\nend\n", 1)
	if r, err := decode([]byte(text)); err != nil || !reflect.DeepEqual(r, full()) {
		t.Errorf("%+v, %v", r, err)
	}
}

// The text of the symlink is that of any version.
func TestLinked(t *testing.T) {
	for text, want := range map[string]*Record{
		"42 7/9 boot": {Pid: 42, StartTime: 7, Inode: 9, BootID: "boot"},
		"42 0/9 ":     {Pid: 42, Inode: 9},
		"42 7/0 boot": {Pid: 42, StartTime: 7, BootID: "boot"},
		"42 7 boot":   {Pid: 42, StartTime: 7, BootID: "boot"}, // without the inode, as at first
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
