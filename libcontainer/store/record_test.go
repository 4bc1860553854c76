package store

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/netdev"
	"github.com/skiff-oci/skiff/libcontainer/plan"
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
		Tail: []plan.Step{{Kind: plan.OpExec, Flags: 2, Field: "process.args[0]", Words: []string{"sh", "", "-c"}}, {Kind: plan.OpListen, Words: []string{}}},
	}
}

func TestRecord(t *testing.T) {
	for _, r := range []*Record{full(), {ID: "web"}} {
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
	for text, want := range map[string]string{
		"":                                   "another version of skiff",
		"skiff state 2\n":                    "another version of skiff",
		header + "\nfoo \"x\"\n":             "unknown key",
		header + "\npid x\n":                 "invalid syntax",
		header + "\nid \"x\n":                "invalid syntax",
		header + "\nid\n":                    "expected 1",
		header + "\nstep \"1\" \"2\"\n":      "expected 3",
		header + "\nnetdev \"a\" \"1\"\n":    "expected 6",
		header + "\nnetroutes \"a\"\n":       "no device before it",
		header + "\nstep \"x\" \"2\" \"\"\n": "invalid syntax",
	} {
		if r, err := decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, error %v; expected %q", text, r, err, want)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(full().encode())
	f.Fuzz(func(t *testing.T, b []byte) {
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
