// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/cred"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/specconv"
	"golang.org/x/sys/unix"
)

// The terminal's master is handed over, and receives what the program prints.
func TestRunTerminal(t *testing.T) {
	w := newWorld(t)
	r := w.request(func(s *specs.Spec) {
		s.Process.Terminal = true
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"newinstance", "ptmxmode=0666"}})
	}, "/bin/sh", "-c", "tty; echo hello; exit 4")
	said := make(chan string)
	run, err := drive(r, map[Stage]func(*Session) error{Console: func(s *Session) error {
		master := s.File()
		go func() {
			b, _ := io.ReadAll(master) // EIO is its end
			master.Close()
			said <- string(b)
		}()
		return nil
	}})
	w.expectStatus(run, err, 4)
	if got := <-said; got != "/dev/pts/0\r\nhello\r\n" {
		t.Errorf("%q", got)
	}
}

// A filter is compiled and loaded, and its listener is passed on.
func TestRunSeccomp(t *testing.T) {
	w := newWorld(t)
	for _, action := range []specs.LinuxSeccompAction{specs.ActErrno, specs.ActNotify} {
		r := w.request(func(s *specs.Spec) {
			s.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow,
				Syscalls:      []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: action}},
			}
			if action == specs.ActNotify {
				s.Linux.Seccomp.ListenerPath = "/agent"
			}
		}, "/bin/sh", "-c", "grep ^Seccomp: /proc/self/status")
		r.SeccompCache = []string{filepath.Join(w.dir, "seccomp")}
		handed := 0
		run, err := drive(r, map[Stage]func(*Session) error{Listener: func(s *Session) error {
			if s.File() != nil {
				handed++
			}
			return nil
		}})
		w.expectStatus(run, err, 0)
		if got := w.printed(); got != "Seccomp:\t2\n" || (handed == 1) != (action == specs.ActNotify) {
			t.Errorf("%s: %q, %d listeners", action, got, handed)
		}
	}
}

// With many mounts the limit on descriptors is raised, and restored.
func TestRunManyMounts(t *testing.T) {
	w := newWorld(t)
	r := w.request(func(s *specs.Spec) {
		for i := range 40 {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: fmt.Sprintf("/m%d", i), Type: "tmpfs", Source: "tmpfs"})
		}
	}, "/bin/sh", "-c", "ulimit -n; ls -d /m0 /m39")
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	low := unix.Rlimit{Cur: 40, Max: before.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	run, err := drive(r, nil)
	if back := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); back != nil {
		t.Fatal(back)
	}
	w.expectStatus(run, err, 0)
	if got := w.printed(); got != "40\n/m0\n/m39\n" {
		t.Errorf("%q", got)
	}
}

// The host's own namespaces are refused if the container would change them.
func TestOwnNamespaces(t *testing.T) {
	for field, change := range map[string]func(s *specs.Spec){
		"linux.namespaces[0].path":                func(s *specs.Spec) { own(s, specs.MountNamespace, "mnt") },
		"hostname":                                func(s *specs.Spec) { own(s, specs.UTSNamespace, "uts") },
		"domainname":                              func(s *specs.Spec) { own(s, specs.UTSNamespace, "uts"); s.Hostname, s.Domainname = "", "x" },
		`linux.sysctl["net.ipv4.ip_forward"]`:     func(s *specs.Spec) { sysctl(s, "net.ipv4.ip_forward"); own(s, specs.NetworkNamespace, "net") },
		`linux.sysctl["kernel.shmmax"]`:           func(s *specs.Spec) { sysctl(s, "kernel.shmmax"); own(s, specs.IPCNamespace, "ipc") },
		`linux.namespaces[0].path: open /no/such`: func(s *specs.Spec) { s.Linux.Namespaces[0].Path = "/no/such" },
		`linux.namespaces[0].path: /proc/self/ns/ipc is not a pid`: func(s *specs.Spec) { s.Linux.Namespaces[0].Path = "/proc/self/ns/ipc" },
	} {
		s := specconv.Example(false)
		s.Mounts, s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = nil, nil, nil
		change(s)
		l, _, err := specconv.Compile(s, specconv.Options{ID: "web", Bundle: t.TempDir()})
		if err != nil {
			t.Fatalf("%s: %v", field, err)
		}
		b, err := bind(&Request{Launch: l, Warn: func(string, ...any) {}}, Facts{Caps: cred.All, Limit: sys.Getrlimit, Files: rootfs.TheHost})
		if err != nil {
			t.Fatal(err)
		}
		files, err := b.open()
		b.closeAll(files)
		if err == nil || !strings.HasPrefix(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// own has the container join one of this process's namespaces, as the first.
func own(s *specs.Spec, of specs.LinuxNamespaceType, file string) {
	all := []specs.LinuxNamespace{{Type: of, Path: "/proc/self/ns/" + file}}
	for _, n := range s.Linux.Namespaces {
		if n.Type != of {
			all = append(all, n)
		}
	}
	s.Linux.Namespaces = all
}

func sysctl(s *specs.Spec, name string) {
	s.Hostname = ""
	s.Linux.Sysctl = map[string]string{name: "1"}
}

// A mount is added to a running container, and removed.
func TestMounts(t *testing.T) {
	w := newWorld(t)
	r := w.request(nil, "/bin/sh", "-c", "until [ -e /tmp/new/end ]; do sleep 0.01; done; >/tmp/seen; until [ -e /tmp/done ]; do sleep 0.01; done; test ! -e /tmp/new/end && exit 5")
	first, err := drive(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sys.PidfdSignal(first.Pidfd, unix.SIGKILL) }()
	l := *r.Launch
	l.Rootfs.Mounts = []plan.Mount{
		{Field: "mounts[9]", Destination: "/tmp/new", Type: "tmpfs", Source: "tmpfs"},
		{Field: "mounts[10]", Destination: "/tmp/new/end", Type: "tmpfs", Source: "tmpfs"},
	}
	l.Namespaces = nil
	for _, n := range []struct {
		flag uint64
		file string
	}{{unix.CLONE_NEWUSER, "user"}, {unix.CLONE_NEWNS, "mnt"}, {unix.CLONE_NEWPID, "pid"}} {
		l.Namespaces = append(l.Namespaces, plan.Namespace{Flag: n.flag, Path: sys.ProcPath(first.Pid, "ns/"+n.file)})
	}
	var made []*os.File
	m := &Mounts{Launch: &l, Scratch: w.dir, Warn: r.Warn, Made: func(mounts []*os.File, fields []string) error {
		made = mounts
		if strings.Join(fields, " ") != "mounts[9] mounts[10]" {
			t.Errorf("%q", fields)
		}
		return nil
	}}
	if err := m.Add(); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if _, err := os.Stat(filepath.Join(w.dir, "rootfs/tmp/seen")); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	back := []Unmount{{Mount: made[1], Field: "mounts[10]", Point: "/tmp/new/end"}, {Mount: made[0], Field: "mounts[9]", Point: "/tmp/new"}}
	if err := m.Remove(back, false); err != nil {
		t.Fatal(err)
	}
	if err := m.Remove(back, true); err != nil {
		t.Errorf("what is not there any more: %v", err)
	}
	if err := m.Remove(back[:1], false); err == nil || !strings.Contains(err.Error(), "mounts[10]: unmount /tmp/new/end: invalid argument") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "rootfs/tmp/done"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	w.expectStatus(first, nil, 5)
}

// A user namespace for the mappings of a mount outlives the child that made it.
func TestThrowaway(t *testing.T) {
	newWorld(t)
	maps := plan.UserMaps{
		UID: []specs.LinuxIDMapping{{ContainerID: 7, HostID: uint32(os.Geteuid()), Size: 1}},
		GID: []specs.LinuxIDMapping{{ContainerID: 8, HostID: uint32(os.Getegid()), Size: 1}},
	}
	f, err := throwaway(t.TempDir(), maps)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flag, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE)
	if err != nil || flag != unix.CLONE_NEWUSER {
		t.Errorf("%#x, %v", flag, err)
	}
}

// The error names the id that is not mapped in a user namespace.
func TestUnmapped(t *testing.T) {
	one := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 1}}
	have := plan.UserMaps{UID: one, GID: one}
	for _, c := range []struct {
		op     program.Operation
		change func(l *plan.Launch)
		want   string
	}{
		{program.SetID{}, func(l *plan.Launch) { l.Process.UID = 5 }, "process.user.uid: user ID 5 is not mapped in the user namespace, which maps 0"},
		{program.SetID{}, func(l *plan.Launch) { l.Process.GID = 6 }, "process.user.gid: group ID 6 is not mapped in the user namespace, which maps 0"},
		{program.SetID{}, func(*plan.Launch) {}, ""},
		{program.Groups{}, func(l *plan.Launch) { l.Process.Groups = []uint32{0, 7} }, "process.user.additionalGids[1]: group ID 7 is not mapped in the user namespace, which maps 0"},
		{program.BecomeRoot{}, func(l *plan.Launch) { l.UserMaps.UID = []specs.LinuxIDMapping{{ContainerID: 9, HostID: 9, Size: 1}} }, "linux.uidMappings: user ID 9 is not mapped"},
		{program.Umask{}, func(l *plan.Launch) { l.Process.UID = 5 }, ""},
	} {
		l := &plan.Launch{Process: plan.Process{Field: "process"}, UserMaps: have}
		c.change(l)
		b := &binding{Request: &Request{Launch: l}, userns: true}
		err := b.unmapped(c.op, have)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%T: %v, expected %q", c.op, err, c.want)
		}
		if !changesIDs(c.op) && c.want != "" {
			t.Errorf("%T changes no ids", c.op)
		}
	}
}

func TestStartHint(t *testing.T) {
	for _, c := range []struct {
		errno syscall.Errno
		flags uint64
		want  string
	}{
		{unix.EPERM, unix.CLONE_NEWPID, "clone: operation not permitted (creating namespaces requires CAP_SYS_ADMIN)"},
		{unix.EPERM, 0, "operation not permitted"},
		{unix.ENOSPC, unix.CLONE_NEWPID, "clone: no space left on device (a limit in /proc/sys/user is reached: max_pid_namespaces)"},
		{unix.EACCES, 0, "clone: permission denied (this user may not move a process from skiff's cgroup to the container's)"},
	} {
		if got := startHint(c.errno, c.flags, false).Error(); got != c.want {
			t.Errorf("%s, expected %s", got, c.want)
		}
	}
}

// What the runtime cannot give is known before the start.
func TestWithheld(t *testing.T) {
	p := plan.Process{Caps: plan.Caps{Effective: 1 << 63}}
	if got := Withheld(&Request{Launch: &plan.Launch{Process: p}}); got != 1<<63 {
		t.Errorf("%#x", got)
	}
	inside := &plan.Launch{Process: p, Namespaces: []plan.Namespace{{Flag: unix.CLONE_NEWUSER}}}
	if got := Withheld(&Request{Launch: inside}); got != 0 {
		t.Errorf("in a user namespace: %#x", got)
	}
}

// A limit that the runtime may not raise is refused before anything is made.
func TestCheckLimits(t *testing.T) {
	facts := Facts{Limit: func(int) (uint64, uint64, error) { return 10, 20, nil }}
	for hard, want := range map[uint64]string{
		20:         "",
		21:         "process.rlimits[0].hard: RLIMIT_CORE 21 exceeds skiff's own hard limit 20: operation not permitted",
		^uint64(0): "process.rlimits[0].hard: RLIMIT_CORE unlimited exceeds",
	} {
		l := &plan.Launch{Process: plan.Process{Rlimits: []plan.Rlimit{{Name: "RLIMIT_CORE", Resource: unix.RLIMIT_CORE, Hard: hard, Field: "process.rlimits[0]"}}}}
		b := &binding{Request: &Request{Launch: l}, facts: facts}
		err := b.checkLimits()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%d: %v, expected %q", hard, err, want)
		}
		b.facts.Caps = cred.All
		if err := b.checkLimits(); err != nil {
			t.Errorf("%d, with the privilege: %v", hard, err)
		}
	}
	b := &binding{Request: &Request{Launch: &plan.Launch{Process: plan.Process{Rlimits: []plan.Rlimit{{Field: "f"}}}}}}
	b.facts.Limit = func(int) (uint64, uint64, error) { return 0, 0, errors.New("unknown") }
	if err := b.checkLimits(); err == nil || err.Error() != "f: unknown" {
		t.Errorf("%v", err)
	}
}

// What the child inherits is opened in the order of its slots.
func TestOpenOrder(t *testing.T) {
	s := specconv.Example(false)
	s.Hostname, s.Mounts, s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = "", nil, nil, nil
	s.Linux.Namespaces = []specs.LinuxNamespace{
		{Type: specs.MountNamespace}, {Type: specs.NetworkNamespace, Path: "/proc/self/ns/net"},
		{Type: specs.IPCNamespace, Path: "/proc/self/ns/ipc"}, {Type: specs.UTSNamespace, Path: "/proc/self/ns/uts"},
	}
	s.Hooks = &specs.Hooks{CreateContainer: []specs.Hook{{Path: "/h"}}}
	dir := t.TempDir()
	s.Annotations = map[string]string{plan.HooksStdout: "out", plan.HooksStderr: "err"}
	l, _, err := specconv.Compile(s, specconv.Options{ID: "web", Bundle: dir})
	if err != nil {
		t.Fatal(err)
	}
	b, err := bind(&Request{Launch: l, Preserve: []int{3, 4}, Hold: true, Listener: os.Stdin, Init: os.Stdout, Warn: func(string, ...any) {}},
		Facts{Caps: cred.All, Limit: sys.Getrlimit, Files: rootfs.TheHost})
	if err != nil {
		t.Fatal(err)
	}
	b.tree = nil // package rootfs tests it
	files, err := b.open()
	if err != nil {
		t.Fatal(err)
	}
	defer b.closeAll(files)
	at := func(s program.Slot) *os.File { return files[s-program.SlotFirst-2] }
	for slot, want := range map[program.Slot]*os.File{b.listen: os.Stdin, b.init: os.Stdout} {
		if at(slot) != want {
			t.Errorf("slot %d is %s, expected %s", slot, at(slot).Name(), want.Name())
		}
	}
	for i, name := range []string{"out", "err"} {
		if got := at(b.hookOutput[i]).Name(); got != filepath.Join(dir, name) {
			t.Errorf("the hooks' %s is %s", name, got)
		}
	}
	for _, n := range b.joins {
		if flag, err := unix.IoctlRetInt(int(at(n.slot).Fd()), unix.NS_GET_NSTYPE); err != nil || uint64(flag) != n.Flag {
			t.Errorf("%s: %#x, %v", n.Type, flag, err)
		}
	}
}
