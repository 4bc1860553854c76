// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/cgroup"
	"github.com/skiff-oci/skiff/libcontainer/cred"
	"github.com/skiff-oci/skiff/libcontainer/netns"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"github.com/skiff-oci/skiff/libcontainer/seccomp"
	"github.com/skiff-oci/skiff/specconv"
	"github.com/skiff-oci/skiff/tests/golden"
	"golang.org/x/sys/unix"
)

// callers are the kinds of users that start skiff.
var orderCallers = map[string]Facts{
	"root":         {Caps: cred.All},
	"few":          {Caps: cred.All &^ (1<<unix.CAP_SYS_RESOURCE | 1<<unix.CAP_SYS_NICE)},
	"user":         {},
	"nested":       {Caps: cred.All, InUserNamespace: true},
	"confined":     {Caps: cred.All, Confined: true},
	"unprivileged": {Caps: 1<<unix.CAP_CHOWN | 1<<unix.CAP_KILL, InUserNamespace: true},
}

// orderConfigs are changes of the configuration that `skiff spec` writes.
var orderConfigs = map[string]string{
	"default":  `{}`,
	"terminal": `{"process": {"terminal": true, "consoleSize": {"height": 20, "width": 80}}}`,
	"user":     `{"process": {"user": {"uid": 1000, "gid": 1001, "additionalGids": [5, 6], "umask": 63}, "cwd": "/work", "args": ["/bin/prog", "x"], "env": ["HOME=", "A=1"]}}`,
	"privileges": `{"process": {"noNewPrivileges": false, "capabilities": {"bounding": ["CAP_KILL", "CAP_SYS_PTRACE"], "effective": ["CAP_KILL"],
		"permitted": ["CAP_KILL", "CAP_CHOWN"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]}}}`,
	"seccomp":  `{"process": {"noNewPrivileges": false}, "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}}}`,
	"notify":   `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/agent", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}}}`,
	"hooks":    `{"hooks": {"prestart": [{"path": "/p"}], "createRuntime": [{"path": "/r"}], "createContainer": [{"path": "/c", "args": ["c", "x"], "env": ["A=1"], "timeout": 3}], "startContainer": [{"path": "/s"}, {"path": "/t"}], "poststart": [{"path": "/u"}]}}`,
	"apparmor": `{"process": {"apparmorProfile": "docker-default"}}`,
	"selinux":  `{"process": {"selinuxLabel": "a:b:c:s0"}, "linux": {"mountLabel": "a:b:d:s0"}}`,
	"tuning": `{"process": {"rlimits": [{"type": "RLIMIT_CORE", "soft": 1, "hard": 2}, {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}],
		"scheduler": {"policy": "SCHED_BATCH", "nice": 3}, "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4}, "oomScoreAdj": 10,
		"execCPUAffinity": {"final": "0-1"}}, "linux": {"personality": {"domain": "LINUX32"}, "memoryPolicy": {"mode": "MPOL_PREFERRED", "nodes": "0"}}}`,
	"time":     `{"linux": {"timeOffsets": {"monotonic": {"secs": 5}, "boottime": {"secs": 7, "nanosecs": 3}}, "namespaces+": [{"type": "time"}]}}`,
	"sysctl":   `{"domainname": "example", "linux": {"sysctl": {"net.ipv4.ip_forward": "1"}}}`,
	"paths":    `{"hostname": "", "linux": {"namespaces": [{"type": "mount"}, {"type": "pid", "path": "/run/ns/pid"}, {"type": "ipc", "path": "/run/ns/ipc"}, {"type": "network", "path": "/run/ns/net"}, {"type": "uts", "path": "/run/ns/uts"}, {"type": "cgroup", "path": "/run/ns/cgroup"}, {"type": "time", "path": "/run/ns/time"}]}}`,
	"few":      `{"hostname": "", "linux": {"namespaces": [{"type": "mount"}]}}`,
	"joinuser": `{"linux": {"namespaces+": [{"type": "user", "path": "/run/ns/user"}]}}`,
	"joinmaps": `{"linux": {"namespaces+": [{"type": "user", "path": "/run/ns/user"}], "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}], "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}]}}`,
	"shared":   `{"hostname": "", "mounts": [], "linux": {"namespaces": [{"type": "pid"}], "maskedPaths": [], "readonlyPaths": []}}`,
	"netdev":   `{"linux": {"netDevices": {"eth9": {"name": "eth0"}}}}`,
	"readonly": `{"root": {"readonly": true}, "linux": {"rootfsPropagation": "rslave"}}`,
	"binds": `{"mounts+": [{"destination": "/a", "type": "bind", "source": "/usr", "options": ["rbind", "ro", "nosuid"]}, {"destination": "/b", "source": "/etc", "options": ["bind", "rprivate", "rw"]},
		{"destination": "/c", "type": "bind", "source": "/bundle/rootfs/etc", "options": ["rbind"]}, {"destination": "/d", "type": "bind", "source": "/proc/self/ns", "options": ["bind"]}]}`,
	"mounts": `{"mounts+": [{"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["ro", "size=1m", "tmpcopyup"]}, {"destination": "/t/x", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
		{"destination": "/t", "options": ["remount", "ro", "size=2m"]}, {"destination": "/dev", "options": ["remount", "bind", "noexec", "rprivate"]}, {"destination": "/q", "type": "overlay", "source": "overlay", "options": ["lowerdir=/a", "iversion"]}]}`,
	"idmap": `{"mounts+": [{"destination": "/a", "type": "bind", "source": "/usr", "options": ["bind", "idmap"], "uidMappings": [{"containerID": 0, "hostID": 5, "size": 9}], "gidMappings": [{"containerID": 0, "hostID": 5, "size": 9}]},
		{"destination": "/b", "type": "bind", "source": "/bundle/rootfs/etc", "options": ["rbind", "ridmap"], "uidMappings": [{"containerID": 0, "hostID": 5, "size": 9}], "gidMappings": [{"containerID": 0, "hostID": 5, "size": 9}]}]}`,
	"devices": `{"linux": {"devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438, "uid": 3, "gid": 4}, {"path": "/dev/p", "type": "p"}]}}`,
}

// userns adds a user namespace: for an ordinary user with its own ids alone.
const (
	usernsRange = `{"linux": {"namespaces+": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}], "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}]}}`
	usernsOwn   = `{"linux": {"resources": null, "namespaces+": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}}`
)

// TestOrder compares the whole program of many configurations, callers and ways to
// start with the ones in testdata/order. None of it looks at the host.
func TestOrder(t *testing.T) {
	for name, change := range orderConfigs {
		for _, c := range []struct {
			suffix, caller, change string
			request                func(r *Request)
		}{
			{"root", "root", "", nil},
			{"userns", "root", usernsRange, nil},
			{"user", "user", usernsOwn, nil},
			{"nested", "nested", "", nil},
			{"nested-userns", "nested", usernsRange, nil},
		} {
			if strings.HasPrefix(name, "join") && c.change != "" {
				continue // it has a user namespace
			}
			compareOrder(t, name+"-"+c.suffix, c.caller, []string{change, c.change}, c.request)
		}
	}
	for _, engine := range []string{"containerd", "docker", "podman"} {
		for caller, change := range map[string]string{"root": "", "nested": "", "user": usernsOwn} {
			compareOrder(t, engine+"-"+caller, caller, []string{"configs/" + engine + ".json", change}, nil)
		}
	}
	for _, c := range []struct {
		name, config, caller string
		request              func(r *Request)
	}{
		{"no-pivot", "default", "root", func(r *Request) { r.Launch.Rootfs.NoPivot = true }},
		{"run", "default", "root", func(r *Request) { r.Hold = false }},
		{"network-ahead", "default", "root", networkAhead},
		{"network-ahead-paths", "paths", "root", networkAhead},
		{"network-ahead-hooks", "hooks", "root", networkAhead},
		{"network-ahead-legacy", "default", "root", func(r *Request) { networkAhead(r); legacy(r) }},
		{"no-keyring", "default", "root", func(r *Request) { r.Keyring = false }},
		{"preserve", "default", "root", func(r *Request) { r.Preserve = []int{3, 5} }},
		{"few-caps", "tuning", "few", nil},
		{"few-caps-hooks", "hooks", "few", nil},
		{"unprivileged", "privileges", "unprivileged", nil},
		{"confined", "default", "confined", nil},
		{"systemd", "default", "root", func(r *Request) { r.Waits.Entered = true }},
		{"systemd-time", "time", "root", func(r *Request) { r.Waits.Entered = true }},
		{"legacy", "default", "root", legacy},
		{"legacy-hooks", "hooks", "root", legacy},
		{"unbindable-root", "binds", "root", func(r *Request) { r.rootByChild = true }},
		{"by-child", "binds", "nested", func(r *Request) { r.byChild = true }},
		{"exec", "default", "root", toExec},
		{"exec-user", "user", "root", toExec},
		{"exec-terminal", "terminal", "root", toExec},
		{"exec-userns", "privileges", "root", func(r *Request) { toExec(r); r.InitNamespaces |= unix.CLONE_NEWUSER }},
		{"exec-shared", "shared", "root", func(r *Request) { toExec(r); r.InitNamespaces = unix.CLONE_NEWPID; r.Root = os.Stdin }},
		{"exec-full", "default", "root", func(r *Request) { toExec(r); r.late = true }},
		{"exec-legacy", "default", "root", func(r *Request) { toExec(r); legacy(r) }},
	} {
		compareOrder(t, c.name, c.caller, []string{orderConfigs[c.config]}, c.request)
	}
	compareOrder(t, "network-ahead-userns", "root", []string{"", usernsRange}, networkAhead)
	compareOrder(t, "network-ahead-forks", "root", []string{`{"linux": {"namespaces": [{"type": "mount"}, {"type": "network"}, {"type": "uts"}, {"type": "pid", "path": "/run/ns/pid"}]}}`}, networkAhead)
}

func networkAhead(r *Request) { r.Network = new(netns.Namespace) }

func legacy(r *Request) {
	var err error
	if r.Cgroup, err = cgroup.Load(map[string]string{"memory": "/sys/fs/cgroup/memory/web", "pids": "/sys/fs/cgroup/pids/web"}); err != nil {
		panic(err)
	}
	r.CgroupView = rootfs.CgroupView{Hierarchies: []rootfs.Hierarchy{{Name: "memory", Options: []string{"memory"}, Path: "/sys/fs/cgroup/memory/web"}}}
}

// toExec has the process join the container's namespaces.
func toExec(r *Request) {
	l := *r.Launch
	l.Joined, l.Namespaces = true, nil
	r.Launch, r.Hold = &l, false
	r.Init, r.InitPid = os.Stdin, 1
	r.InitNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP
}

func compareOrder(t *testing.T, name, caller string, changes []string, request func(*Request)) {
	t.Run(name, func(t *testing.T) {
		got := orderOf(t, caller, changes, request)
		golden.Compare(t, filepath.Join("testdata", "order", name+".txt"), []byte(got))
	})
}

// orderOf returns the listing of the program, or the error.
func orderOf(t *testing.T, caller string, changes []string, request func(*Request)) string {
	t.Helper()
	facts := orderCallers[caller]
	facts.AppArmor = func() bool { return true }
	facts.Files = rootfs.Host{
		Findable: func(string, bool) bool { return true },
		Readlink: func(string) (string, error) { return "", os.ErrInvalid },
		Exists:   func(string) bool { return true },
	}
	facts.Limit = func(int) (uint64, uint64, error) { return 1024, 4096, nil }
	facts.Filter = func(r *Request) (*seccomp.Filter, error) {
		return &seccomp.Filter{BPF: make([]byte, 16), Notify: strings.Contains(r.Launch.Seccomp.ListenerPath, "agent")}, nil
	}
	r, err := orderRequest(t, caller, changes, request)
	if err != nil {
		return "refused: " + err.Error() + "\n"
	}
	b, err := bind(r, facts)
	if same, _ := orderRequest(t, caller, changes, request); !reflect.DeepEqual(r.Launch, same.Launch) {
		t.Errorf("the plan was changed:\n%+v\nafter\n%+v", r.Launch, same.Launch)
	}
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	return fmt.Sprintf("inherits %d\n%s", b.prog.Inherited, b.prog)
}

func orderRequest(t *testing.T, caller string, changes []string, change func(*Request)) (*Request, error) {
	t.Helper()
	l, _, err := specconv.Compile(config(t, changes), specconv.Options{ID: "web", Bundle: "/bundle", Rootless: caller == "user"})
	if err != nil {
		return nil, err
	}
	r := &Request{
		Launch: l, Hold: true, Keyring: true, CgroupView: rootfs.CgroupView{Namespace: true, Unified: "/sys/fs/cgroup"},
		Warn: func(string, ...any) {},
	}
	r.Waits.Mounted = len(l.Hooks.Prestart)+len(l.Hooks.CreateRuntime)+len(l.NetDevices) > 0
	if change != nil {
		change(r)
	}
	return r, nil
}

// config returns the example with changes, or the file that the first of them names.
func config(t *testing.T, changes []string) *specs.Spec {
	t.Helper()
	s := specconv.Example(false)
	s.Process.Terminal, s.Root.Readonly = false, false
	text, err := json.Marshal(s)
	if strings.HasSuffix(changes[0], ".json") {
		text, err = os.ReadFile(filepath.Join("testdata", changes[0]))
		changes = changes[1:]
	}
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		var change map[string]any
		if c == "" {
			continue
		}
		if err := json.Unmarshal([]byte(c), &change); err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		merge(doc, change)
	}
	if text, err = json.Marshal(doc); err == nil {
		s = new(specs.Spec)
		err = json.Unmarshal(text, s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// merge changes doc; "x+" appends to the list x.
func merge(doc, change map[string]any) {
	for k, v := range change {
		if list, ok := strings.CutSuffix(k, "+"); ok {
			old, _ := doc[list].([]any)
			doc[list] = append(old, v.([]any)...)
			continue
		}
		inner, isMap := v.(map[string]any)
		have, both := doc[k].(map[string]any)
		if isMap && both {
			merge(have, inner)
			continue
		}
		doc[k] = v
	}
}
