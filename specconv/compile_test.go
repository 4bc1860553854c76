// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	goldenfile "github.com/skiff-oci/skiff/tests/golden"
)

var options = Options{ID: "web", Bundle: "/bundle"}

// TestGolden compiles testdata/NAME.json and compares the launch with
// NAME.golden.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			spec, err := decodeSpec(raw)
			if err != nil {
				t.Fatal(err)
			}
			c := newCompiler(spec, options)
			l, warnings, err := c.launch()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, ".json")+".golden", l, warnings)
		})
	}
}

func golden(t *testing.T, file string, l *plan.Launch, warnings []Warning) {
	t.Helper()
	got, err := json.MarshalIndent(map[string]any{"launch": l, "warnings": warnings}, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	goldenfile.Compare(t, file, got)
}

// Keys match as in encoding/json, and unknown ones are ignored.
func TestDecodeKeys(t *testing.T) {
	s, err := decodeSpec([]byte(`{"OCIVERSION": "1.0.0", "Process": {"ARGS": ["sh"], "nosuch": 1}, "nosuch": {}, "linux": {"NameSpaces": [{"TYPE": "pid"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if s.Version != "1.0.0" || s.Process.Args[0] != "sh" || s.Linux.Namespaces[0].Type != "pid" {
		t.Errorf("decoded to %+v", s)
	}
}

// The table is sorted, as findOption needs it, and has every option of the
// specification.
func TestMountOptions(t *testing.T) {
	if !slices.IsSortedFunc(mountOptions[:], func(a, b mountOption) int { return strings.Compare(a.name, b.name) }) {
		t.Error("mountOptions is not sorted")
	}
	spec := `async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime
		noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime
		relatime remount rexec rnoatime rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate
		rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave strictatime suid
		symfollow sync tmpcopyup unbindable idmap ridmap`
	for _, name := range strings.Fields(spec) {
		if _, ok := findOption(name); !ok {
			t.Errorf("%s is unknown", name)
		}
	}
	if o, ok := findOption("size=1k"); ok {
		t.Errorf("size=1k is %+v", o)
	}
}

func TestSysctlPath(t *testing.T) {
	for key, want := range map[string]string{
		"net.ipv4.ip_forward":               "net/ipv4/ip_forward",
		"net/ipv4/ip_forward":               "net/ipv4/ip_forward",
		"net.ipv4.conf.eth0/100.forwarding": "net/ipv4/conf/eth0.100/forwarding",
		"net/ipv4/conf/eth0.100/forwarding": "net/ipv4/conf/eth0.100/forwarding",
		"kernel":                            "kernel",
	} {
		if got := sysctlPath(key); got != want {
			t.Errorf("%s: %s, expected %s", key, got, want)
		}
	}
}

// A key that is no path below /proc/sys is refused, whatever namespaces there are.
func TestSysctlEscape(t *testing.T) {
	for _, key := range []string{"net/../kernel/panic", "net/ipv4//x", "/net/x", "net/x/", "", "net/./x"} {
		s := Example(false)
		s.Linux.Sysctl = map[string]string{key: "1"}
		if l, _, err := Compile(s, options); err == nil {
			t.Errorf("%q compiled to %+v", key, l.Sysctl)
		}
	}
}

func TestMaps(t *testing.T) {
	m := func(c, h, n uint32) specs.LinuxIDMapping {
		return specs.LinuxIDMapping{ContainerID: c, HostID: h, Size: n}
	}
	tests := []struct {
		maps []specs.LinuxIDMapping
		want string
	}{
		{[]specs.LinuxIDMapping{m(0, 1000, 10), m(10, 2000, 10)}, ""},
		{[]specs.LinuxIDMapping{m(0, 1000, 10), m(9, 2000, 10)}, "linux.uidMappings[1].containerID: overlaps with another entry"},
		{[]specs.LinuxIDMapping{m(0, 1000, 10), m(10, 1009, 10)}, "linux.uidMappings[1].hostID: overlaps with another entry"},
		{[]specs.LinuxIDMapping{m(0, 1000, 0)}, "linux.uidMappings[0].size: must not be 0"},
		{[]specs.LinuxIDMapping{m(0, 1<<32-1, 2)}, "linux.uidMappings[0]: the range must not exceed the largest id, 4294967295"},
		{nil, "linux.uidMappings: is required for a new user namespace"},
	}
	for _, test := range tests {
		s := Example(false)
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
		s.Linux.UIDMappings, s.Linux.GIDMappings = test.maps, []specs.LinuxIDMapping{m(0, 1000, 100)}
		_, _, err := Compile(s, options)
		if got := text(err); got != test.want && !(test.want != "" && strings.HasPrefix(got, test.want)) {
			t.Errorf("%v: %q, expected %q", test.maps, got, test.want)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// An exec makes no namespaces, and the paths in its errors begin at the process.
func TestCompileExec(t *testing.T) {
	l, _, err := CompileExec(Example(false), &specs.Process{Args: []string{"ls"}, Cwd: "/"}, options)
	if err != nil {
		t.Fatal(err)
	}
	if !l.Joined || len(l.Namespaces) != 0 || len(l.Rootfs.Mounts) != 0 {
		t.Errorf("compiled to %+v", l)
	}
	_, _, err = CompileExec(Example(false), &specs.Process{Cwd: "x", Rlimits: []specs.POSIXRlimit{{Type: "X"}}}, options)
	want := `args: must not be empty: expected the program to run; cwd: "x" must be an absolute path; ` +
		`rlimits[0].type: unknown resource limit "X": expected a name like RLIMIT_NOFILE`
	if text(err) != want {
		t.Errorf("error %q, expected %q", text(err), want)
	}
}

// A list of CPUs or nodes compiles to a mask of whole 64-bit words, the lowest byte first.
func TestSet(t *testing.T) {
	for list, want := range map[string]string{
		"": "", "0": "0100000000000000", "0-3,7": "8f00000000000000", "64": "00000000000000000100000000000000", " 1, 2": "0600000000000000",
		"63": "0000000000000080", "-1": "!", "1-": "!", "2-1": "!", ",": "!", "1,,2": "!", "0x1": "!", "65536": "!", "0-4294967295": "!", "99999999999": "!",
	} {
		c := newCompiler(Example(false), options)
		got := fmt.Sprintf("%x", c.set(list, "f", "CPU"))
		if len(c.bad) > 0 {
			got = "!"
		}
		if got != want {
			t.Errorf("%q: %s %v, expected %s", list, got, c.bad, want)
		}
	}
}

// execCPUAffinity only takes effect for an exec, and personality for every process.
func TestExecTuning(t *testing.T) {
	s := Example(false)
	s.Process.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0", Final: "1"}
	s.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32}
	process := &specs.Process{Args: []string{"ls"}, Cwd: "/", ExecCPUAffinity: &specs.CPUAffinity{Final: "3"}}
	l, _, err := CompileExec(s, process, options)
	if err != nil {
		t.Fatal(err)
	}
	p := l.Process
	if p.CPUInitial != nil || p.CPUFinal[0] != 8 || p.Personality == nil || *p.Personality != 8 {
		t.Errorf("compiled to %+v", p)
	}
	if l, _, err = Compile(s, options); err != nil || l.Process.CPUInitial != nil || l.Process.CPUFinal != nil {
		t.Errorf("the container itself: %+v, %v", l, err)
	}
}

func BenchmarkCompile(b *testing.B) {
	raw, err := os.ReadFile("testdata/full.json")
	if err != nil {
		b.Fatal(err)
	}
	spec, err := decodeSpec(raw)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		c := newCompiler(spec, options)
		if _, _, err := c.launch(); err != nil {
			b.Fatal(err)
		}
	}
}
