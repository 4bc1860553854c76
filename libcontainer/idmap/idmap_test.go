// SPDX-License-Identifier: Apache-2.0

package idmap

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

type mappings = []specs.LinuxIDMapping

func entry(c, h, n uint32) specs.LinuxIDMapping {
	return specs.LinuxIDMapping{ContainerID: c, HostID: h, Size: n}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

const last = math.MaxUint32

func TestRoot(t *testing.T) {
	for _, test := range []struct {
		list mappings
		want uint32
	}{
		{nil, 0},
		{mappings{entry(0, 1000, 1)}, 0},
		{mappings{entry(5, 1000, 1), entry(0, 2000, 1)}, 0},
		{mappings{entry(5, 1000, 10), entry(100, 2000, 1)}, 5},
		{mappings{entry(1, 1000, 65535)}, 1},
		{mappings{entry(100, 2000, 1), entry(5, 1000, 10)}, 100},
	} {
		if got := Root(test.list); got != test.want {
			t.Errorf("%v: got %d, want %d", test.list, got, test.want)
		}
	}
}

func TestJoined(t *testing.T) {
	for name, tt := range map[string]struct{ list, want mappings }{
		"out of order, and one apart": {mappings{entry(10, 110, 5), entry(0, 100, 10), entry(15, 300, 1)}, mappings{entry(0, 100, 15), entry(15, 300, 1)}},
		"three":                       {mappings{entry(0, 0, 1), entry(1, 1, 1), entry(2, 2, 1)}, mappings{entry(0, 0, 3)}},
		"a gap of the host's":         {mappings{entry(0, 0, 1), entry(1, 2, 1)}, mappings{entry(0, 0, 1), entry(1, 2, 1)}},
		"a gap of the container's":    {mappings{entry(0, 0, 1), entry(2, 1, 1)}, mappings{entry(0, 0, 1), entry(2, 1, 1)}},
		"up to the largest id":        {mappings{entry(last-1, last-1, 1), entry(0, 0, last-1)}, mappings{entry(0, 0, last)}},
		"large ones, out of order":    {mappings{entry(last-1, 5, 1), entry(1<<31, 3, 1), entry(0, 1, 1)}, mappings{entry(0, 1, 1), entry(1<<31, 3, 1), entry(last-1, 5, 1)}},
		"none":                        {nil, nil},
	} {
		before := slices.Clone(tt.list)
		if got := joined(tt.list); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
		if !slices.Equal(tt.list, before) {
			t.Errorf("%s: the list itself is changed to %v", name, tt.list)
		}
	}
}

// Writing a map of only the own group takes setgroups(2) away, so it must not be
// denied when that is not necessary.
func TestSingle(t *testing.T) {
	for name, tt := range map[string]struct {
		list mappings
		want bool
	}{
		"the own one":           {mappings{entry(0, 1000, 1)}, true},
		"as another":            {mappings{entry(7, 1000, 1)}, true},
		"another's":             {mappings{entry(0, 1001, 1)}, false},
		"the number inside":     {mappings{entry(1000, 0, 1)}, false},
		"the own one and more":  {mappings{entry(0, 1000, 2)}, false},
		"two ranges":            {mappings{entry(0, 1000, 1), entry(1, 100000, 65536)}, false},
		"two, the own one last": {mappings{entry(1, 100000, 65536), entry(0, 1000, 1)}, false},
		"none":                  {nil, false},
	} {
		if got := single(tt.list, 1000); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	own := plan.UserMaps{GID: mappings{entry(0, uint32(os.Getegid()), 1)}}
	if got, want := OwnGroup(own), os.Geteuid() != 0; got != want {
		t.Errorf("of user %d: %v", os.Geteuid(), got)
	}
	if OwnGroup(plan.UserMaps{UID: own.GID}) {
		t.Error("the user's map is taken for the group's")
	}
}

func TestTexts(t *testing.T) {
	for _, tt := range []struct {
		list        mappings
		lines, text string
	}{
		{nil, "", "none"},
		{mappings{entry(0, 1000, 1)}, "0 1000 1\n", "0:1000:1"},
		{mappings{entry(0, 1000, 1), entry(1, 100000, 65535)}, "0 1000 1\n1 100000 65535\n", "0:1000:1, 1:100000:65535"},
		{mappings{entry(last-1, last-2, last)}, "4294967294 4294967293 4294967295\n", "4294967294:4294967293:4294967295"},
	} {
		if got := string(lines(tt.list)); got != tt.lines {
			t.Errorf("%v: file %q, want %q", tt.list, got, tt.lines)
		}
		if got := text(tt.list); got != tt.text {
			t.Errorf("%v: text %q, want %q", tt.list, got, tt.text)
		}
	}
}

func TestRefused(t *testing.T) {
	write := func(errno unix.Errno) error { return fmt.Errorf("write /proc/7/uid_map: %w", errno) }
	page := os.Getpagesize()
	for name, tt := range map[string]struct {
		err  error
		size int
		want string
	}{
		"taken":        {nil, page, ""},
		"no privilege": {write(unix.EPERM), 10, "m: write /proc/7/uid_map: operation not permitted (CAP_SETUID and CAP_SETGID are required, and the host ids must exist in skiff's own user namespace)"},
		"wrong":        {write(unix.EINVAL), page - 1, "m: write /proc/7/uid_map: invalid argument"},
		"too long": {
			write(unix.EINVAL), page,
			fmt.Sprintf("m: write /proc/7/uid_map: invalid argument (the text of the 300 mappings is %d bytes long, and must be less than %d: use fewer mappings)", page, page),
		},
		"gone": {write(unix.ESRCH), page, "m: write /proc/7/uid_map: no such process"},
	} {
		if got := errText(refused(tt.err, "m", 300, tt.size)); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	if hint := fault.Of(refused(write(unix.EPERM), "m", 1, 10)).Hint; !strings.HasPrefix(hint, "CAP_SETUID") {
		t.Errorf("hint %q", hint)
	}
}

func TestCompare(t *testing.T) {
	have := mappings{entry(0, 1000, 1), entry(1, 100000, 65535)}
	const differs = "m: must be the same as in the user namespace that is joined, which has 0:1000:1, 1:100000:65535"
	for name, tt := range map[string]struct {
		want mappings
		err  string
	}{
		"all the same":     {have, ""},
		"another order":    {mappings{have[1], have[0]}, ""},
		"in more lines":    {mappings{entry(0, 1000, 1), entry(1, 100000, 35), entry(36, 100035, 65500)}, ""},
		"any":              {nil, ""},
		"one too few":      {mappings{entry(0, 1000, 1), entry(1, 100000, 65534)}, differs},
		"one too many":     {mappings{entry(0, 1000, 1), entry(1, 100000, 65536)}, differs},
		"of another user":  {mappings{entry(0, 1001, 1), entry(1, 100000, 65535)}, differs},
		"a range not had":  {append(slices.Clone(have), entry(70000, 5, 1)), differs},
		"a range left out": {have[:1], differs},
	} {
		if got := errText(compare("m", have, tt.want)); got != tt.err {
			t.Errorf("%s: %q, want %q", name, got, tt.err)
		}
	}
}

// The mappings of this very process are what it has, and nothing else is.
func TestCheck(t *testing.T) {
	own, err := Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(os.Getpid(), own); err != nil {
		t.Error(err)
	}
	if err := Check(os.Getpid(), plan.UserMaps{}); err != nil {
		t.Errorf("any: %v", err)
	}
	for field, other := range map[string]plan.UserMaps{
		"linux.uidMappings": {UID: mappings{entry(3, 4, 5)}, GID: own.GID},
		"linux.gidMappings": {UID: own.UID, GID: mappings{entry(3, 4, 5)}},
	} {
		if err := Check(os.Getpid(), other); err == nil || !strings.HasPrefix(err.Error(), field+": must be the same as in the user namespace") {
			t.Errorf("got %v", err)
		}
	}
	const none = 1<<31 - 1 // no pid is as large
	if _, err := Of(none); err == nil {
		t.Error("a process that is not there has mappings")
	}
	if err := Check(none, own); err == nil || !strings.HasPrefix(err.Error(), "linux.uidMappings: ") {
		t.Errorf("got %v", err)
	}
}

// namespace starts a process in a user namespace that has no mappings yet.
func namespace(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("sleep", "100")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Skipf("no user namespace can be made here: %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

// The own ids can be mapped without any privilege, but only once.
func TestWrite(t *testing.T) {
	pid := namespace(t)
	own := plan.UserMaps{UID: mappings{entry(0, uint32(os.Geteuid()), 1)}, GID: mappings{entry(5, uint32(os.Getegid()), 1)}}
	if err := Write(pid, own, "linux."); err != nil {
		t.Fatal(err)
	}
	if got, err := Of(pid); err != nil || !slices.Equal(got.UID, own.UID) || !slices.Equal(got.GID, own.GID) {
		t.Errorf("%v, %v, want %v", got, err, own)
	}
	if err := Check(pid, own); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/setgroups", pid))
	if want := map[bool]string{true: "allow\n", false: "deny\n"}[os.Geteuid() == 0]; err != nil || string(b) != want {
		t.Errorf("setgroups: %q, %v, want %q", b, err, want)
	}
	t.Setenv("PATH", t.TempDir()) // no newgidmap
	if err := Write(pid, own, "linux."); err == nil || !strings.HasPrefix(err.Error(), "linux.gidMappings: ") {
		t.Errorf("again: %v", err)
	}
}
