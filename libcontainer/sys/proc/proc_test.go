// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestMount(t *testing.T) {
	for line, want := range map[string]Mount{
		"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n": {36, 98, 0, "/mnt1", "/mnt2", "master:1", "ext3", "rw,errors=continue"},
		"22 1 0:21 / /proc rw - proc proc rw":                                              {22, 0, 21, "/", "/proc", "", "proc", "rw"},
		"1 0 0:2 / / rw shared:1 master:2 propagate_from:3 - xfs /dev/a rw":                {1, 0, 2, "/", "/", "shared:1 master:2 propagate_from:3", "xfs", "rw"},
		"5 1 0:9 / /u rw unbindable - tmpfs none rw,size=1m":                               {5, 0, 9, "/", "/u", "unbindable", "tmpfs", "rw,size=1m"},
		`34 1 0:26 /with\040blank /a\011b\012c\134d\043e rw - cgroup2 none rw`:             {34, 0, 26, "/with blank", "/a\tb\nc\\d#e", "", "cgroup2", "rw"},
		`7 1 0:4 net:[4026531840] /run/ns rw shared:4 - nsfs nsfs rw`:                      {7, 0, 4, "net:[4026531840]", "/run/ns", "shared:4", "nsfs", "rw"},
		`8 1 0:5 / /x rw - tmpfs  rw`:                                                      {8, 0, 5, "/", "/x", "", "tmpfs", "rw"}, // mounted with an empty source
		`9 1 0:5 / /not\octal\04 rw - tmpfs a rw`:                                          {9, 0, 5, "/", `/not\octal\04`, "", "tmpfs", "rw"},
		`9 1 0:5 / /\777 rw - tmpfs a rw`:                                                  {9, 0, 5, "/", `/\777`, "", "tmpfs", "rw"},
		`3 1 0:7 / /a\040-\040b rw - fuse.x a\040-\040b rw`:                                {3, 0, 7, "/", "/a - b", "", "fuse.x", "rw"},
		"18446744073709551615 1 4095:1048575 / / rw - a b c":                               {18446744073709551615, 4095, 1048575, "/", "/", "", "a", "c"},
		"": {}, "\n": {}, "garbage": {}, " - ": {}, "x 1 0:21 / /proc rw - proc proc rw": {}, "22 1 0 / /proc rw - proc proc rw": {},
		"22 1 0:x / /proc rw - proc proc rw": {}, "22 1 0:21 / /proc rw - proc": {}, "22 1 0:21 / /proc rw - proc proc": {},
		"22 1 0:21 /": {}, "22 1 0:21 - proc proc rw": {}, "-1 1 0:21 / /proc rw - proc proc rw": {},
	} {
		m, ok := mount(line)
		if m != want || ok != (want != Mount{}) {
			t.Errorf("%q:\n%+v, %v, expected\n%+v", line, m, ok, want)
		}
	}
}

const table = `30 1 0:5 / /sys rw - sysfs sysfs rw
garbage
3 1 0:26 /three /three rw - cgroup2 none rw
31 30 0:26 / /sys/fs/cgroup rw - cgroup2 none rw
`

// A mount is found by its complete id, and no later line is read.
func TestMountByID(t *testing.T) {
	for id, want := range map[uint64]string{30: "/sys", 3: "/three", 31: "/sys/fs/cgroup", 1: "", 0: ""} {
		if m, ok := MountByID(table, id); m.Point != want || ok != (want != "") {
			t.Errorf("%d: %+v, %v", id, m, ok)
		}
	}
	n := 0
	for range Mounts(table) {
		n++
		break
	}
	if all := slices.Collect(Mounts(table)); n != 1 || len(all) != 3 {
		t.Errorf("%d, then %v", n, all)
	}
}

// Every line of the kernel's own table can be parsed.
func TestOwnMounts(t *testing.T) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if have, want := len(slices.Collect(Mounts(string(b)))), strings.Count(string(b), "\n"); have != want {
		t.Errorf("%d of %d lines", have, want)
	}
}

// A search in a table does not allocate memory for each line.
func TestMountsAllocateNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { MountByID(table, 99) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func TestDevice(t *testing.T) {
	for s, want := range map[string][2]uint32{"8:16": {8, 16}, "0:0": {}, "8": {}, "8:": {}, ":8": {}, "8:-1": {}, "8:1:2": {}, "": {}, "4294967296:1": {}} {
		major, minor, ok := Device(s)
		if ok != (s == "0:0" || want != [2]uint32{}) || ok && (major != want[0] || minor != want[1]) {
			t.Errorf("%q: %d:%d, %v", s, major, minor, ok)
		}
	}
}

// statLine returns the text of a stat file with that name and the fields after it.
func statLine(name string, change map[int]string) string {
	f := strings.Fields("S 7 5 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 998877 1 2 3")
	for i, s := range change {
		f[i] = s
	}
	return fmt.Sprintf("42 (%s) %s\n", name, strings.Join(f, " "))
}

func TestParseStat(t *testing.T) {
	plain := Stat{State: 'S', Parent: 7, Group: 5, Threads: 3, Start: 998877}
	zombie := plain
	zombie.State, zombie.Threads, zombie.Exiting = 'Z', 1, true
	for _, c := range []struct {
		text string
		want Stat
		err  string
	}{
		{statLine("cat", nil), plain, ""},
		{statLine("a) Z 1 (b", nil), plain, ""},
		{statLine(") \n", nil), plain, ""},
		{statLine("", nil), plain, ""},
		{statLine("x", map[int]string{0: "Z", 6: "4228100", 17: "1"}), zombie, ""},
		{statLine("x", map[int]string{1: "p"}), Stat{}, "parent: "},
		{statLine("x", map[int]string{2: "g"}), Stat{}, "process group: "},
		{statLine("x", map[int]string{6: "-1"}), Stat{}, "flags: "},
		{statLine("x", map[int]string{17: "x"}), Stat{}, "threads: "},
		{statLine("x", map[int]string{19: "99999999999999999999"}), Stat{}, "start time: "},
		{"42 (x) S 1", Stat{}, "too short"},
		{"42 x S 7 5 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 998877", Stat{}, "too short"},
		{"", Stat{}, "too short"},
	} {
		s, err := ParseStat(c.text)
		switch {
		case c.err == "" && (err != nil || s != c.want):
			t.Errorf("%q: %+v, %v, expected %+v", c.text, s, err, c.want)
		case c.err != "" && (err == nil || !strings.HasPrefix(err.Error(), c.err)):
			t.Errorf("%q: error %v, expected %q", c.text, err, c.err)
		}
	}
}

func TestEnded(t *testing.T) {
	for s, want := range map[Stat]bool{
		{State: 'Z', Threads: 1}: true, {State: 'X'}: true, {State: 'Z', Threads: 2}: false, {State: 'S', Threads: 1}: false,
		{State: 'D', Threads: 1, Exiting: true}: false,
	} {
		if s.Ended() != want {
			t.Errorf("%+v: %v", s, !want)
		}
	}
}

func TestValue(t *testing.T) {
	const events = "populated 1\nfrozen 0\nempty \nline\nfrozen 7"
	const status = "Name:\tcat: x\nTgid:\t42\nPid:\t43\nNSpid:\t43\t1\n"
	for _, c := range []struct{ text, between, key, want string }{
		{events, Blank, "populated", "1"}, {events, Blank, "frozen", "0"}, {events, Blank, "oom", "!"}, {events, Blank, "froze", "!"},
		{events, Blank, "empty", "!"}, {events, Blank, "line", "!"}, {"", Blank, "", "!"}, {"\n\n", Blank, "", "!"},
		{"8:0 rbps=1 wbps=2\n", Blank, "8:0", "rbps=1 wbps=2"}, {"a  1 \n", Blank, "a", "1"},
		{status, Colon, "Name", "cat: x"}, {status, Colon, "Tgid", "42"}, {status, Colon, "NSpid", "43\t1"}, {status, Colon, "PPid", "!"},
	} {
		got, ok := Value(c.text, c.between, c.key)
		if !ok {
			got += "!"
		}
		if got != c.want {
			t.Errorf("%q of %q: %q, expected %q", c.key, c.text, got, c.want)
		}
	}
	if all := maps.Collect(Pairs(events, Blank)); len(all) != 2 || all["frozen"] != "7" {
		t.Errorf("%v", all)
	}
}

func TestIDMap(t *testing.T) {
	for text, want := range map[string][]specs.LinuxIDMapping{
		"":                                   nil,
		"         0          0 4294967295\n": {{ContainerID: 0, HostID: 0, Size: 4294967295}},
		"0 1000 1\n1 100000 65536\n":         {{ContainerID: 0, HostID: 1000, Size: 1}, {ContainerID: 1, HostID: 100000, Size: 65536}},
	} {
		if list, err := IDMap(text); err != nil || !slices.Equal(list, want) {
			t.Errorf("%q: %v, %v", text, list, err)
		}
	}
	for _, text := range []string{"0 0\n", "0 0 1 2", "a 0 1", "-1 0 1", "0 0 4294967296", "\n"} {
		if list, err := IDMap(text); err == nil {
			t.Errorf("%q: %v", text, list)
		}
	}
}

func TestHostID(t *testing.T) {
	const last = 1<<32 - 1
	entry := func(inside, outside, size uint32) specs.LinuxIDMapping {
		return specs.LinuxIDMapping{ContainerID: inside, HostID: outside, Size: size}
	}
	type maps = []specs.LinuxIDMapping
	own := maps{entry(0, 1000, 1), entry(1, 100000, 65535)}
	gap := maps{entry(20, 200, 10), entry(0, 100, 10)}
	for name, tt := range map[string]struct {
		list   maps
		id     uint32
		want   uint32
		mapped bool
	}{
		"the first range":          {own, 0, 1000, true},
		"where ranges touch":       {own, 1, 100000, true},
		"the last of a range":      {own, 65535, 165534, true},
		"behind the last":          {own, 65536, 0, false},
		"a list out of order":      {gap, 0, 100, true},
		"before a gap":             {gap, 9, 109, true},
		"the first of a gap":       {gap, 10, 0, false},
		"the last of a gap":        {gap, 19, 0, false},
		"behind a gap":             {gap, 20, 200, true},
		"below the first":          {maps{entry(5, 100, 10)}, 4, 0, false},
		"all ids, the first":       {maps{entry(0, 0, last)}, 0, 0, true},
		"all ids, the last":        {maps{entry(0, 0, last)}, last - 1, last - 1, true},
		"no id":                    {maps{entry(0, 0, last)}, last, 0, false},
		"up to the largest id":     {maps{entry(last-9, 0, 9)}, last - 1, 8, true},
		"to the largest host's id": {maps{entry(0, last-9, 9)}, 8, last - 1, true},
		"behind the largest":       {maps{entry(last-9, 0, 9)}, last, 0, false},
		// The end of this range is 2^32, which is 0 in 32 bits.
		"to the end of numbers": {maps{entry(last-9, 0, 10)}, last, 9, true},
		"not beyond it":         {maps{entry(last-9, 0, 20)}, 0, 0, false},
		"sums larger than 2^32": {maps{entry(last-99, last-99, 50)}, last - 60, last - 60, true},
		"an empty range":        {maps{entry(0, 1000, 0)}, 0, 0, false},
		"no ranges":             {nil, 0, 0, false},
	} {
		if got, ok := HostID(tt.list, tt.id); got != tt.want || ok != tt.mapped {
			t.Errorf("%s: %d in %v: got %d, %v, want %d, %v", name, tt.id, tt.list, got, ok, tt.want, tt.mapped)
		}
	}
}

func TestCPUList(t *testing.T) {
	for list, want := range map[string]string{
		"": "", "0": "0100000000000000", "0-3,7": "8f00000000000000", "64": "00000000000000000100000000000000", " 1, 2\n": "0600000000000000",
		"63": "0000000000000080", "7,0-3,2": "8f00000000000000", "3-3": "0800000000000000",
	} {
		if mask, err := CPUList(list); err != nil || fmt.Sprintf("%x", mask) != want {
			t.Errorf("%q: %x, %v, expected %s", list, mask, err, want)
		}
	}
	for _, list := range []string{"-1", "1-", "2-1", ",", "1,,2", " ", "0x1", "+1", "1 2", "0-10:2/5", "all", "99999999999"} {
		if mask, err := CPUList(list); err == nil || !strings.Contains(err.Error(), "such as 0-3,7") {
			t.Errorf("%q: %x, %v", list, mask, err)
		}
	}
	var high TooHigh
	for list, want := range map[string]TooHigh{"65536": 65536, "0-4294967295": 4294967295, "1,70000-70001": 70001} {
		if _, err := CPUList(list); !errors.As(err, &high) || high != want {
			t.Errorf("%q: %v", list, err)
		}
	}
	if mask, err := CPUList("65535"); err != nil || !slices.Equal(slices.Collect(Members(mask)), []int{MaxCPU}) {
		t.Errorf("the highest: %v", err)
	}
}

func TestMembers(t *testing.T) {
	for list, want := range map[string][]int{"": nil, "0": {0}, "7,0-3,64": {0, 1, 2, 3, 7, 64}} {
		mask, err := CPUList(list)
		if have := slices.Collect(Members(mask)); err != nil || !slices.Equal(have, want) {
			t.Errorf("%q: %v, %v", list, have, err)
		}
	}
	for n := range Members([]byte{0xff}) {
		if n > 0 {
			t.Error("goes on")
		}
		break
	}
}

func TestSchedStat(t *testing.T) {
	for text, want := range map[string]struct {
		ran, waited uint64
		ok          bool
	}{
		"906122 33698 2\n": {906122, 33698, true},
		"5 0 1\n":          {5, 0, true},
		"0 0 0\n":          {}, // the kernel counts nothing
		"":                 {}, "x 1 2": {}, "-1 2 3": {}, "1": {ran: 1}, "1 x 3": {ran: 1},
	} {
		if ran, waited, ok := SchedStat(text); ran != want.ran || waited != want.waited || ok != want.ok {
			t.Errorf("%q: %d, %d, %v", text, ran, waited, ok)
		}
	}
}
