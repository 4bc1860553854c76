// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/systemd/dbus"
	"golang.org/x/sys/unix"
)

func TestUnitPath(t *testing.T) {
	for _, c := range []struct {
		unit Unit
		want string
	}{
		{Unit{Name: "skiff-web.scope", Slice: "system.slice"}, "/system.slice/skiff-web.scope"},
		{Unit{Name: "skiff-web.scope", Slice: "-.slice"}, "/skiff-web.scope"},
		{Unit{Name: "skiff-web.scope", Slice: "a-b-c.slice"}, "/a.slice/a-b.slice/a-b-c.slice/skiff-web.scope"},
		{Unit{Name: "a-b.slice", Slice: "a.slice"}, "/a.slice/a-b.slice"},
		{Unit{Name: "a.slice", Slice: "-.slice"}, "/a.slice"},
	} {
		if got := c.unit.Path(); got != c.want {
			t.Errorf("%v: %s, expected %s", c.unit, got, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	for _, c := range []struct{ file, value, want string }{
		{"memory.max", "67108864", "MemoryMax=67108864"},
		{"memory.max", "max", "MemoryMax=18446744073709551615"},
		{"memory.low", "4096", "MemoryLow=4096"},
		{"memory.high", "4096", "MemoryHigh=4096"},
		{"memory.min", "4096", "MemoryMin=4096"},
		{"memory.swap.max", "0", "MemorySwapMax=0"},
		{"pids.max", "99", "TasksMax=99"},
		{"cpu.weight", "59", "CPUWeight=59"},
		{"cpu.idle", "1", "CPUWeight=0"},
		{"cpu.idle", "0", "CPUWeight=18446744073709551615"}, // the default
		{"io.weight", "500", "IOWeight=500"},
		{"io.weight", "default 500", "IOWeight=500"},
		{"io.weight", "8:0 500", ""},
		{"cpu.max", "50000 100000", "CPUQuotaPerSecUSec=500000 CPUQuotaPeriodUSec=100000"},
		{"cpu.max", "50500 100000", "CPUQuotaPerSecUSec=510000 CPUQuotaPeriodUSec=100000"}, // rounded up
		{"cpu.max", "1 100000", "CPUQuotaPerSecUSec=10000 CPUQuotaPeriodUSec=100000"},
		{"cpu.max", "max 50000", fmt.Sprint("CPUQuotaPerSecUSec=", uint64(math.MaxUint64), " CPUQuotaPeriodUSec=50000")},
		{"cpuset.cpus", "0-2,9", "AllowedCPUs=[7 2]"},
		{"cpuset.mems", "0", "AllowedMemoryNodes=[1]"},
		{"hugetlb.2MB.max", "1", ""},
		{"memory.oom.group", "1", "OOMPolicy=kill"},
		{"memory.oom.group", "0", "OOMPolicy=continue"},
		{"memory.zswap.max", "4096", "MemoryZSwapMax=4096"},
	} {
		got, err := Limits([][2]string{{c.file, c.value}})
		if err != nil {
			t.Errorf("%s %q: %v", c.file, c.value, err)
		}
		if text := words(got); text != c.want {
			t.Errorf("%s %q: %s, expected %s", c.file, c.value, text, c.want)
		}
	}
	if got, err := Limits([][2]string{{"cpu.weight", "59"}, {"cpu.idle", "0"}}); err != nil || words(got) != "CPUWeight=59" {
		t.Errorf("a weight, and not idle: %v, %v", got, err)
	}
	for _, c := range [][2]string{{"memory.max", "-1"}, {"cpu.max", "1 0"}, {"cpuset.cpus", "3-1"}, {"cpuset.cpus", "0-99999999"}, {"cpuset.cpus", ""}} {
		if got, err := Limits([][2]string{c}); err == nil {
			t.Errorf("%v: %v, expected an error", c, got)
		}
	}
}

func words(list []Property) string {
	var all []string
	for _, p := range list {
		all = append(all, fmt.Sprintf("%s=%v", p.Name, p.Value.Value()))
	}
	return strings.Join(all, " ")
}

var web = Unit{Name: "skiff-web.scope", Slice: "system.slice"}

func TestUnitLife(t *testing.T) {
	f := new(fake)
	m := f.serve(t)
	if top, err := m.ControlGroup(); err != nil || top != "/user.slice/manager" {
		t.Fatalf("ControlGroup: %q, %v", top, err)
	}
	if err := m.Free(web.Name); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(web, "web", os.Getpid(), []Property{{Name: "TasksMax", Value: dbus.Uint64(7)}}); err != nil {
		t.Fatal(err)
	}
	given := strings.Join(f.given, " ")
	for _, want := range []string{
		"Description=skiff container web", "Slice=system.slice", "Delegate=true", fmt.Sprintf("PIDs=[%d]", os.Getpid()), "DefaultDependencies=false", "TasksMax=7",
	} {
		if !strings.Contains(given, want) {
			t.Errorf("%s is not among the properties: %s", want, given)
		}
	}
	if err := m.Free(web.Name); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), web.Name) {
		t.Errorf("the name of an active unit is free: %v", err)
	}
	if err := m.Start(web, "web", os.Getpid(), nil); !errors.Is(err, ErrExists) {
		t.Errorf("a second unit of the name: %v", err)
	}
	if err := m.Stop(web.Name); err != nil {
		t.Fatal(err)
	}
	if len(f.units) != 0 {
		t.Errorf("units are left: %v", f.units)
	}
	if err := m.Stop(web.Name); err != nil {
		t.Errorf("stop of what is not there: %v", err)
	}
}

// A failed unit is reset, which frees its name.
func TestUnitFailed(t *testing.T) {
	f := &fake{units: map[string]string{web.Name: "failed"}}
	m := f.serve(t)
	if err := m.Free(web.Name); err != nil {
		t.Fatal(err)
	}
	if len(f.units) != 0 {
		t.Errorf("units are left: %v", f.units)
	}
}

func TestUnitErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		fake *fake
		want string
		is   error
	}{
		{"no end of the job", &fake{hangs: true}, "cannot start skiff-web.scope: waited 300ms for the end of the job (JobRemoved)", unix.ETIMEDOUT},
		{"no answer", &fake{silent: true}, "cannot start skiff-web.scope: waited 300ms for the reply to StartTransientUnit", unix.ETIMEDOUT},
		{"job failed", &fake{result: "failed"}, `cannot start skiff-web.scope: the result of the job is "failed"`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := c.fake.serve(t)
			err := m.Start(web, "web", os.Getpid(), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v, expected %s", err, c.want)
			}
		})
	}
}

// Every call has a deadline.
func TestDeadlines(t *testing.T) {
	m := (&fake{silent: true}).serve(t)
	_, control := m.ControlGroup()
	for want, err := range map[string]error{
		"systemd: cannot read ControlGroup of the manager: waited 300ms for the reply to Get":                    control,
		"systemd: cannot look up skiff-web.scope: waited 300ms for the reply to GetUnit":                         m.Free(web.Name),
		"systemd: cannot stop skiff-web.scope: waited 300ms for the reply to StopUnit":                           m.Stop(web.Name),
		"systemd: cannot move process 7 to skiff-web.scope: waited 300ms for the reply to AttachProcessesToUnit": m.Attach(web.Name, "", 7),
		"systemd: cannot set properties of skiff-web.scope: waited 300ms for the reply to SetUnitProperties":     m.Set(web.Name, []Property{Unlimited("TasksMax")}),
	} {
		if !errors.Is(err, unix.ETIMEDOUT) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, expected %s", err, want)
		}
	}
}

func TestUnreachable(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus,guid=1;tcp:host=x")
	_, err := Dial(true)
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "/nowhere/bus") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v: expected one line that names the sockets", err)
	}
}

// A socket that accepts the connection and never sends anything is given up.
func TestSilent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "private")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = connect(address{path, true}, 50*time.Millisecond)
	if !errors.Is(err, unix.ETIMEDOUT) || err.Error() != "D-Bus authentication: waited 50ms for a reply: connection timed out" {
		t.Errorf("%v: expected the time that was waited, and for what", err)
	}
}

// So is a bus that authenticates the caller and then forwards nothing.
func TestSilentBus(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			(&fake{silent: true}).talk(c)
		}
	}()
	_, err = connect(address{path, false}, 50*time.Millisecond)
	if !errors.Is(err, unix.ETIMEDOUT) || err.Error() != "D-Bus: waited 50ms for the reply to Hello: connection timed out" {
		t.Errorf("%v: expected the time that was waited, and for what", err)
	}
}

// A systemd is given no property that it does not know.
func TestKnown(t *testing.T) {
	for _, c := range []struct {
		unit string
		old  bool
		want string
	}{
		{"a.scope", false, "TasksMax=1 OOMPolicy=kill MemoryZSwapMax=1"},
		{"a.slice", false, "TasksMax=1 MemoryZSwapMax=1"},
		{"a.scope", true, "TasksMax=1"},
	} {
		all, err := Limits([][2]string{{"pids.max", "1"}, {"memory.oom.group", "1"}, {"memory.zswap.max", "1"}})
		if err != nil {
			t.Fatal(err)
		}
		f := &fake{old: c.old}
		got, err := f.serve(t).Known(c.unit, all)
		if text := words(got); err != nil || text != c.want {
			t.Errorf("%s, old: %v: %s, %v; expected %s", c.unit, c.old, text, err, c.want)
		}
	}
	all, _ := Limits([][2]string{{"pids.max", "1"}, {"memory.oom.group", "1"}})
	if text := words(Settable(all)); text != "TasksMax=1" {
		t.Errorf("settable: %s", text)
	}
	for text, want := range map[string]int{"257.9-1": 257, "v253": 253, "255~rc1": 255, "260": 260, "": 0} {
		if got := version(text); got != want {
			t.Errorf("version(%q) = %d", text, got)
		}
	}
}
