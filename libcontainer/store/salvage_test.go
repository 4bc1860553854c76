// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"golang.org/x/sys/unix"
)

// damages lists what can happen to a record, and the resulting error.
func damages() map[string]struct {
	do   func(path string) error
	want string
} {
	write := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	instead := func(make func(path string) error) func(string) error {
		return func(path string) error { return errors.Join(os.Remove(path), make(path)) }
	}
	return map[string]struct {
		do   func(path string) error
		want string
	}{
		"empty":     {write(""), "it is empty"},
		"garbage":   {write("\x7fELF\x00\x01\xff garbage"), "it begins with"},
		"zeros":     {write(strings.Repeat("\x00", 600)), "it begins with"},
		"newer":     {write(string(newer(9, "writer \"9.8.7\"\nid \"web\"\nfuture\n"))), "it was written by skiff 9.8.7 in format 9"},
		"another's": {write("skiff state 2\nid \"other\"\npid 1\ncgroup \"\" \"/sys/fs/cgroup\"\nend\n"), `it belongs to container "other"`},
		"halved": {func(path string) error {
			st, err := os.Stat(path)
			return errors.Join(err, os.Truncate(path, st.Size()/2))
		}, "it ends within a line"},
		"missing":   {os.Remove, "it is missing"},
		"directory": {instead(func(path string) error { return os.Mkdir(path, 0o700) }), "must be a regular file, but is a directory"},
		"FIFO":      {instead(func(path string) error { return unix.Mkfifo(path, 0o600) }), "must be a regular file, but is a FIFO"},
		"symlink":   {instead(func(path string) error { return os.Symlink("/dev/zero", path) }), "must be a regular file, but is a symlink"},
		"sparse":    {func(path string) error { return os.Truncate(path, 1<<40) }, "must not be larger than 64 MiB"},
	}
}

// Whatever has happened to the record of a finished container, the container is found.
func TestDamages(t *testing.T) {
	for name, d := range damages() {
		t.Run(name, func(t *testing.T) {
			_, e := entry(t)
			first := full()
			first.Pid, first.StartTime, first.BootID, first.Network = 0, 0, "", Network{}
			steps := []error{e.Write(first), e.PutConfig([]byte("{}")), e.Prepare(full()), e.Commit(), d.do(filepath.Join(e.Path(), recordFile))}
			if err := errors.Join(steps...); err != nil {
				t.Fatal(err)
			}
			r, err := e.Read()
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), d.want) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%+v, %v; want %q", r, err, d.want)
			}
			want := full()
			if r.Pid != want.Pid || r.StartTime != want.StartTime || r.BootID != want.BootID || !reflect.DeepEqual(r.Cgroups, want.Cgroups) || r.Under != want.Under || !r.Hooks {
				t.Errorf("found %+v\nof    %+v", r, want)
			}
			if r.RDT.Remove || r.Network.Devices != nil {
				t.Errorf("what may be others' goes with it: %+v", r)
			}
			if err := e.Remove(); err != nil || e.Exists() {
				t.Error("removed:", err)
			}
		})
	}
}

// If what should replace a damaged record is damaged, too, whatever is left is found.
func TestDamagedTwice(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(dir string) error
		pid  int
		unit string
	}{
		{"no symlink", func(dir string) error { return os.Remove(dir + "/init") }, 0, "web.scope"},
		{"a file for a symlink", func(dir string) error {
			return errors.Join(os.Remove(dir+"/init"), os.WriteFile(dir+"/init", nil, 0o600))
		}, 0, "web.scope"},
		{"nonsense in the symlink", func(dir string) error {
			return errors.Join(os.Remove(dir+"/init"), os.Symlink("-1 x", dir+"/init"))
		}, 0, "web.scope"},
		{"no spare record", func(dir string) error { return os.Remove(dir + "/state.spare") }, 42, ""},
		{"another's spare record", func(dir string) error {
			return os.WriteFile(dir+"/state.spare", []byte("skiff state 2\nid \"x\"\nunit \"x\" \"false\"\nend\n"), 0o600)
		}, 42, ""},
		{"a FIFO", func(dir string) error {
			return errors.Join(os.Remove(dir+"/state.spare"), unix.Mkfifo(dir+"/state.spare", 0o600))
		}, 42, ""},
	} {
		_, e := entry(t)
		steps := []error{
			e.Write(&Record{ID: "web", Unit: Unit{Name: "web.scope"}}), e.Prepare(full()), e.Commit(),
			os.WriteFile(filepath.Join(e.Path(), recordFile), nil, 0o600), c.do(e.Path()),
		}
		if err := errors.Join(steps...); err != nil {
			t.Fatal(err)
		}
		if r, err := e.Read(); !errors.Is(err, ErrDamaged) || r.Pid != c.pid || r.Unit.Name != c.unit {
			t.Errorf("%s: %+v, %v", c.name, r, err)
		}
	}
}

// A runtime that was killed before it wrote a record does not leave a damaged one.
func TestNoRecordYet(t *testing.T) {
	_, e := entry(t)
	if err := errors.Join(e.dir().Unlink(recordFile), e.dir().Write(spareFile, []byte("skiff st"), 0)); err != nil {
		t.Fatal(err)
	}
	if r, err := e.Read(); err != nil || !reflect.DeepEqual(r, &Record{ID: "web"}) {
		t.Errorf("%+v, %v", r, err)
	}
	e.Unlock()
	if err := e.Remove(); err != nil {
		t.Fatal(err)
	}
	if r, err := e.Read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%+v, %v", r, err)
	}
}

// A cgroup path that cannot be valid is ignored.
func TestSober(t *testing.T) {
	r := gather("id \"web\"\ncgroup \"\" \"/sys/fs/cgroup/web\"\ncgroup \"a\" \"/\"\ncgroup \"b\" \"x/y\"\ncgroup \"c\" \"/a/../b\"\nrdt \"/r/web\" \"\" \"true\"\n")
	r.sober()
	if want := map[string]string{"": "/sys/fs/cgroup/web"}; !reflect.DeepEqual(r.Cgroups, want) || !r.RDT.Remove {
		t.Errorf("%+v", r)
	}
}

// The record and the spare one are damaged, but readable. A value that only one of them
// has, and that names what is killed or removed, may belong to another container.
func TestAgreed(t *testing.T) {
	rest := "unit \"web.scope\" \"false\"\nrdt \"/r/web\" \"/r/web/mon\" \"true\"\nrootfs \"/b\"\nunder 7\n"
	change := func(from, to string) string { return strings.Replace(rest, from, to, 1) }
	for _, c := range []struct {
		name, record, spare string
		want                Record
	}{
		{"the same", rest, rest, Record{Unit: Unit{Name: "web.scope"}, RDT: RDT{"/r/web", "/r/web/mon", true}, Under: 7}},
		{"another unit", rest, change("web.s", "wec.s"), Record{RDT: RDT{"/r/web", "/r/web/mon", true}, Under: 7}},
		{"another class", rest, change("/r/web\"", "/r/wec\""), Record{Unit: Unit{Name: "web.scope"}, Under: 7}},
		{"another group", change("/mon", "/mom"), rest, Record{Unit: Unit{Name: "web.scope"}, Under: 7}},
		{"another root", change("/b", "/c"), rest, Record{Unit: Unit{Name: "web.scope"}, RDT: RDT{"/r/web", "/r/web/mon", true}}},
		{"another mount", change("7", "6"), rest, Record{Unit: Unit{Name: "web.scope"}, RDT: RDT{"/r/web", "/r/web/mon", true}}},
		{"one alone", rest, "\x00", Record{}},
		{"none", "\x00", "", Record{}},
	} {
		_, e := entry(t)
		const begin = "skiff state 2\nid \"web\"\nfuture\n"
		same, other := "cgroup \"cpu\" \"/c/web\"\n", "cgroup \"\" \"/wec\"\n"
		if err := errors.Join(
			os.WriteFile(filepath.Join(e.Path(), recordFile), []byte(begin+same+other+c.record), 0o600),
			os.WriteFile(filepath.Join(e.Path(), spareFile), []byte(begin+same+strings.Replace(other, "c", "b", 1)+c.spare), 0o600),
		); err != nil {
			t.Fatal(err)
		}
		r, err := e.Read()
		if !errors.Is(err, ErrDamaged) {
			t.Fatal(c.name, err)
		}
		got := Record{Unit: r.Unit, RDT: r.RDT, Under: r.Under}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if want := map[string]string{"cpu": "/c/web"}; !reflect.DeepEqual(r.Cgroups, want) {
			t.Errorf("%s: cgroups %v", c.name, r.Cgroups)
		}
	}
}

// A single record whose damage is not visible has no other to agree with. Only its first
// process, which the start time identifies, is taken to be the container's.
func TestAlone(t *testing.T) {
	_, e := entry(t)
	r := full()
	r.Pid = 43
	text := strings.Replace(string(r.encode()), "/sys/fs/cgroup/web", "/sys/fs/cgroup/wec", 1)
	if err := os.WriteFile(filepath.Join(e.Path(), recordFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := e.Read()
	if !errors.Is(err, ErrDamaged) || got.Pid != 43 || got.StartTime != r.StartTime || got.Rootfs != r.Rootfs {
		t.Errorf("%+v, %v", got, err)
	}
	if len(got.Cgroups) != 0 || got.Unit != (Unit{}) || got.RDT != (RDT{}) || got.Under != 0 || got.Network.Devices != nil {
		t.Errorf("what may be another's: %+v", got)
	}
}

// The devices of a container that is not finished are moved back, according to a record
// with a right checksum.
func TestSalvagedDevices(t *testing.T) {
	_, e := entry(t)
	r := full()
	r.Pid = 0
	if err := errors.Join(e.Write(r), e.dir().Rename(recordFile, spareFile, 0), os.WriteFile(filepath.Join(e.Path(), recordFile), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Read(); !errors.Is(err, ErrDamaged) || !reflect.DeepEqual(got.Network, r.Network) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDamageCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		code fault.Code
		text string
	}{
		{errors.New("it is empty"), fault.Damaged, "the record /r/state is damaged: it is empty"},
		{fmt.Errorf("x: %w", &newerError{9, "1.2"}), fault.NewerState, "the record /r/state: x: it was written by skiff 1.2"},
		{&fs.PathError{Op: "open", Path: "/r/state", Err: unix.EACCES}, fault.NoPermission, "cannot read the container's record: open /r/state: permission denied"},
	} {
		err := fmt.Errorf("state: %w", &damage{"/r/state", c.err})
		if got := fault.Of(err).Code; got != c.code || !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%v: %s; want %s, %q", err, got, c.code, c.text)
		}
	}
}
