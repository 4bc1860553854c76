// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"golang.org/x/sys/unix"
)

// The mounts of which a checkpoint has only the mount point are binds, including those
// that mounts of cgroups become.
func TestExternal(t *testing.T) {
	r := of(
		source, tmpfs, linked, inside,
		bind("/src/a", "/no-link", copyLink),
		remount("/a", bound),
		fileSystem("cgroup", "/sys/fs/cgroup"),
	)
	var got []string
	for _, m := range External(r, CgroupView{Hierarchies: v1}, aHost) {
		got = append(got, m.Source+" on "+m.Destination)
	}
	want := []string{
		"/src/a on /a", "/b/rootfs/x on /x", "/src/a on /no-link",
		"/cg/cpu,cpuacct/web on /sys/fs/cgroup/cpu,cpuacct", "/cg/systemd/web on /sys/fs/cgroup/systemd",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, expected %q", got, want)
	}
	if list := External(r, CgroupView{Namespace: true, Hierarchies: v1}, aHost); len(list) != 3 {
		t.Errorf("with a cgroup namespace: %v", list)
	}
}

func TestOwnDevices(t *testing.T) {
	var names []string
	for _, d := range OwnDevices([]plan.Device{{Path: "/dev/null", Mode: unix.S_IFCHR}, {Path: "/dev/pipe", Mode: unix.S_IFIFO}}) {
		names = append(names, NodeName(d))
	}
	if want := []string{"node:/dev/null"}; !slices.Equal(names, want) {
		t.Errorf("got %q, expected %q", names, want)
	}
}

// Each mount that is added has a slot and a field, even if one entry of the list becomes
// several mounts.
func TestAddedMounts(t *testing.T) {
	r := of(fileSystem("cgroup", "/cg"), bind("/src/a", "/a"))
	for i := range r.Mounts {
		r.Mounts[i].Field = plan.At("mounts", i)
	}
	tree, err := Added(r, Setting{NewMounts: true, Cgroup: CgroupView{Hierarchies: v1[:1]}, Host: aHost}, new(program.Program))
	if err != nil {
		t.Fatal(err)
	}
	var slots []program.Slot
	tree.Each(func(s program.Slot) { slots = append(slots, s) })
	if got, want := fmt.Sprint(slots, tree.Fields(), tree.Root), "[7 5 6] [mounts[0] mounts[0] mounts[1]] 8"; got != want {
		t.Errorf("got %s, expected %s", got, want)
	}
	covering := of(bind("/src/a", "/proc"))
	covering.Masked = []string{"/proc/kcore"}
	covering.Mounts[0].Field = "mounts[0]"
	_, err = Added(covering, Setting{NewMounts: true, Host: aHost}, new(program.Program))
	if want := "mounts[0]: a mount on /proc would hide /proc/kcore, which is in linux.maskedPaths"; err == nil || err.Error() != want {
		t.Errorf("got %v, expected %s", err, want)
	}
}

// A symlink that is to be copied cannot be added: it is not a mount.
func TestAddedLink(t *testing.T) {
	for source, want := range map[string]string{
		"/src/a":    "",
		"/src/link": "mounts[0]: copy-symlink cannot be used: /src/link is a symlink, and only mounts can be added to a running container",
	} {
		r := of(bind(source, "/a"))
		r.Mounts[0].Field, r.Mounts[0].CopyLink = "mounts[0]", true
		_, err := Added(r, Setting{NewMounts: true, Host: aHost}, new(program.Program))
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: %v, expected %q", source, err, want)
		}
	}
}

// Mount points are made where their paths lead: in the rootfs, and in sources of binds.
func TestMakePoints(t *testing.T) {
	root, source := mounted(t), mounted(t)
	file := filepath.Join(source, "file")
	for _, err := range []error{
		os.WriteFile(file, nil, 0o600),
		os.Symlink("/run", filepath.Join(root, "abs")),
		os.Symlink("../target", filepath.Join(source, "link")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r := plan.Rootfs{Path: root, Readonly: true, Mounts: mounts(
		bind(source, "/data", recursively),
		bind(file, "/data/below/file"),
		bind(filepath.Join(source, "link"), "/etc/copied", copyLink),
		bind(filepath.Join(source, "link"), "/etc/link", notFollowed),
		fileSystem("tmpfs", "/abs/t"),
		bind(file, "/abs/t/inside"),
		remount("/data", bound),
	)}
	p, err := MakePoints(r, TheHost)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for path, mode := range map[string]os.FileMode{
		root + "/data": os.ModeDir, source + "/below/file": 0, root + "/etc/copied": os.ModeSymlink, root + "/etc/link": 0,
		root + "/run/t": os.ModeDir, root + "/tmp": os.ModeDir,
	} {
		if st, err := os.Lstat(path); err != nil || st.Mode().Type() != mode {
			t.Errorf("%s: %v (%v)", path, st, err)
		}
	}
	if point, err := p.Of("/abs/t/inside"); err != nil || point != "/run/t/inside" {
		t.Errorf("got %s (%v)", point, err)
	}
	if target, err := os.Readlink(root + "/etc/copied"); err != nil || target != "../target" {
		t.Errorf("got %s (%v)", target, err)
	}
}

func TestMakePointsErrors(t *testing.T) {
	dir := t.TempDir()
	for want, r := range map[string]plan.Rootfs{
		"root.path: open " + dir + "/none: no such file or directory":        {Path: dir + "/none"},
		"mounts[0].source: stat " + dir + "/none: no such file or directory": {Path: dir, Mounts: mounts(bind(dir+"/none", "/a", func(m *plan.Mount) { m.Field = "mounts[0]" }))},
	} {
		if _, err := MakePoints(r, TheHost); err == nil || err.Error() != want {
			t.Errorf("got %v, expected %s", err, want)
		}
	}
}
