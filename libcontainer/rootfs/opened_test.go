// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// opening makes a tree of r, and opens what it has reserved slots for.
func opening(t *testing.T, r plan.Rootfs, on Setting, ns UserNamespaces) (files []*os.File, warnings []string, err error) {
	t.Helper()
	on.Host = TheHost
	for i := range r.Mounts {
		r.Mounts[i].Field = plan.At("mounts", i)
	}
	p := new(program.Program)
	files, err = New(r, on, p).Open(ns, func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) })
	for _, f := range files {
		t.Cleanup(func() { f.Close() })
	}
	if err == nil && len(files) != p.Inherited-int(program.SlotFirst) {
		t.Errorf("%d files for %d slots", len(files), p.Inherited-int(program.SlotFirst))
	}
	return files, warnings, err
}

func noUserNamespace(*plan.IDMap) (*os.File, error) { return nil, errors.New("no user namespace") }

// Open returns files in the order of the slots: user namespaces, root, null device,
// device nodes, sources.
func TestOpenOrder(t *testing.T) {
	root, source := mounted(t), mounted(t)
	ns := namespaceFile(t)
	r := plan.Rootfs{
		Path: root, Masked: []string{"/proc/kcore"},
		Mounts: mounts(
			fileSystem("tmpfs", "/t", mapped),
			bind(source, "/s", recursively),
			bind("/dev/zero", "/z"),
		),
		Devices: []plan.Device{
			{Path: "/dev/zero", Mode: unix.S_IFCHR | 0o666, Major: 1, Minor: 5},
			{Path: "/dev/pipe", Mode: unix.S_IFIFO | 0o600},
		},
	}
	files, _, err := opening(t, r, Setting{UserNS: true}, func(*plan.IDMap) (*os.File, error) { return sys.Dup(ns) })
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range []string{fmt.Sprintf("/proc/self/fd/%d", ns.Fd()), root, "/dev/null", "/dev/zero", "/", source, "/dev/zero"} {
		want, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := files[i].Stat(); err != nil || !os.SameFile(got, want) {
			t.Errorf("file %d is not %s (%v)", i, path, err)
		}
	}
}

// A source that the runtime opens has the flags of its options, and the mounts below it.
func TestOpenAttributes(t *testing.T) {
	root, source := mounted(t), mounted(t)
	files, warnings, err := opening(t, plan.Rootfs{Path: root, Mounts: mounts(
		bind(source, "/s", sets(unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOEXEC)),
		bind(source, "/s", clears(unix.MOUNT_ATTR_RDONLY)),
	)}, Setting{}, noUserNamespace)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	for i, want := range []int64{unix.ST_RDONLY | unix.ST_NOEXEC, 0} {
		var st unix.Statfs_t
		if err := unix.Fstatfs(int(files[1+i].Fd()), &st); err != nil {
			t.Fatal(err)
		}
		if got := int64(st.Flags) & (unix.ST_RDONLY | unix.ST_NOEXEC); got != want {
			t.Errorf("source %d has flags %#x, expected %#x", i, got, want)
		}
	}
}

// An option that would clear a locked flag is an error that names the option; rw is not
// an error.
func TestOpenLocked(t *testing.T) {
	root := mounted(t)
	locked := os.Getenv(lockedVariable)
	_, warnings, err := opening(t, plan.Rootfs{Path: root, Mounts: mounts(bind(locked, "/s", clears(unix.MOUNT_ATTR_RDONLY)))}, Setting{}, noUserNamespace)
	if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], "mounts[0].options: rw has no effect: the mount of "+locked+" is read-only") {
		t.Errorf("error %v, warnings %q", err, warnings)
	}
	_, _, err = opening(t, plan.Rootfs{Path: root, Mounts: mounts(bind(locked, "/s", clears(unix.MOUNT_ATTR_NOSUID)))}, Setting{}, noUserNamespace)
	if !errors.Is(err, unix.EPERM) || !strings.HasPrefix(err.Error(), "mounts[0].options: suid: ") {
		t.Errorf("error %v", err)
	}
	// Root in a user namespace tries to clear a flag that no option names.
	_, _, err = opening(t, plan.Rootfs{Path: root, Mounts: mounts(bind(locked, "/s", unnamed(unix.MOUNT_ATTR_NOSUID)))}, Setting{Inside: true}, noUserNamespace)
	if err != nil {
		t.Errorf("error %v", err)
	}
}

// The runtime makes the sources that it opens idmapped mounts itself.
func TestOpenMapped(t *testing.T) {
	root, source := mounted(t), mounted(t)
	r := plan.Rootfs{Path: root, Mounts: mounts(bind(source, "/s", mappedTree))}
	if _, _, err := opening(t, r, Setting{}, noUserNamespace); err == nil || err.Error() != "mounts[0]: no user namespace" {
		t.Errorf("error %v", err)
	}
	ns := namespaceFile(t)
	if _, _, err := opening(t, r, Setting{}, func(*plan.IDMap) (*os.File, error) { return sys.Dup(ns) }); err != nil {
		t.Errorf("error %v", err)
	}
	own := func(*plan.IDMap) (*os.File, error) { return os.Open("/proc/self/ns/user") }
	if _, _, err := opening(t, r, Setting{}, own); !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EPERM) {
		t.Errorf("the file system's own user namespace: error %v", err)
	}
	if _, _, err := opening(t, plan.Rootfs{Path: root, Mounts: mounts(fileSystem("tmpfs", "/t", mapped))}, Setting{}, noUserNamespace); err == nil {
		t.Error("no error of a user namespace that the child gets")
	}
}

func TestMapAsked(t *testing.T) {
	tree := New(plan.Rootfs{Path: "/b/rootfs", Mounts: mounts(tmpfs, with(inside, mapped, func(m *plan.Mount) { m.Field = "mounts[1]" }))}, Setting{NewMounts: true, UserNS: true, Host: aHost}, new(program.Program))
	for i, want := range map[int64]string{
		-1: "handshake: the child asked for mount -1 to be idmapped, which has no mappings",
		0:  "handshake: the child asked for mount 0 to be idmapped, which has no mappings",
		1:  "mounts[1]: no user namespace",
		2:  "handshake: the child asked for mount 2 to be idmapped, which has no mappings",
	} {
		if err := tree.MapAsked(i, nil, noUserNamespace); err == nil || err.Error() != want {
			t.Errorf("mount %d: error %v, expected %s", i, err, want)
		}
	}
	source := mounted(t)
	f, err := sys.OpenTree(source, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ns := namespaceFile(t)
	if err := tree.MapAsked(1, f, func(*plan.IDMap) (*os.File, error) { return sys.Dup(ns) }); err != nil {
		t.Errorf("error %v", err)
	}
}

// The error about what cannot be opened names its field, and nothing stays open.
func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Symlink(dir, link)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		plan   plan.Rootfs
		on     Setting
		want   string
		mounts bool
	}{
		{"no root", plan.Rootfs{Path: dir + "/none"}, Setting{}, "root.path: lstat " + dir + "/none: no such file", false},
		{"a symlink", plan.Rootfs{Path: link}, Setting{}, "root.path: " + link + " must not be a symlink", false},
		{"a file", plan.Rootfs{Path: file}, Setting{}, "root.path: " + file + " is not a directory", false},
		{"an ordinary user's idmapped bind", plan.Rootfs{Path: dir, Mounts: mounts(bind(dir, "/a", mapped))}, Setting{UserNS: true, ByChild: true}, "mounts[0]: an ordinary user cannot idmap", false},
		{"an ordinary user", plan.Rootfs{Path: dir, Mounts: mounts(bind(dir, "/a"))}, Setting{UserNS: true, ByChild: true}, "", false},
		{"no source", plan.Rootfs{Path: dir, Mounts: mounts(bind(dir+"-none", "/a"))}, Setting{}, "mounts[0].source: open_tree " + dir + "-none: no such file", true},
		{"a device that is another", plan.Rootfs{Path: dir, Devices: []plan.Device{{Field: "linux.devices[0]", Path: "/dev/null", Mode: unix.S_IFCHR, Major: 1, Minor: 5}}}, Setting{UserNS: true}, "linux.devices[0]: /dev/null on the host must be the device 1:5", true},
		{"a default device", plan.Rootfs{Path: dir, Devices: []plan.Device{{Path: dir + "/none", Mode: unix.S_IFCHR}}}, Setting{UserNS: true}, "default device " + dir + "/none: ", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.mounts {
				needNamespaces(t)
			}
			files, _, err := opening(t, c.plan, c.on, noUserNamespace)
			if len(files) > 0 {
				t.Errorf("%d files", len(files))
			}
			if got := fmt.Sprint(err); c.want == "" && err != nil || !strings.HasPrefix(got, c.want) {
				t.Errorf("error %s, expected %s", got, c.want)
			}
		})
	}
}

// A rootfs on an unbindable mount is left to a child with a new mount namespace.
func TestOpenUnbindable(t *testing.T) {
	dir := mounted(t)
	if err := unix.Mount("", dir, "", unix.MS_UNBINDABLE, ""); err != nil {
		t.Fatal(err)
	}
	if _, _, err := opening(t, plan.Rootfs{Path: dir}, Setting{NewMounts: true}, nil); !errors.Is(err, ErrRootByChild) {
		t.Errorf("error %v", err)
	}
	if files, _, err := opening(t, plan.Rootfs{Path: dir}, Setting{NewMounts: true, RootByChild: true}, nil); err != nil || len(files) > 0 {
		t.Errorf("%d files, error %v", len(files), err)
	}
	_, _, err := opening(t, plan.Rootfs{Path: dir}, Setting{}, nil)
	if want := "the mount on " + dir + " is unbindable"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, expected: %s", err, want)
	}
}

// A runtime that may not clone mounts leaves the root to the child, even if the root was
// left to the child for another reason before.
func TestRootByChildOfUser(t *testing.T) {
	p := new(program.Program)
	tree := New(plan.Rootfs{Path: "/b/rootfs", Masked: []string{"/proc/kcore"}}, Setting{NewMounts: true, ByChild: true, RootByChild: true, Host: aHost}, p)
	tree.Attach(p)
	if got := p.String(); !strings.Contains(got, `propagate("/", private, flags=tree)`) || !strings.Contains(got, `opentree("/dev/null", 0x80101) = #6`) {
		t.Errorf("got\n%s", got)
	}
}

func TestIDMapError(t *testing.T) {
	for _, c := range []struct {
		err       error
		recursive bool
		want      string
	}{
		{nil, false, "<nil>"},
		{unix.EBADF, false, "bad file descriptor"},
		{unix.EINVAL, false, "the file system of /proc (proc) does not support idmapped mounts: invalid argument"},
		{unix.EINVAL, true, "the file system of /proc (proc), or one mounted below it, does not support idmapped mounts"},
		{unix.EPERM, true, "the mount of /proc (proc) cannot be idmapped: operation not permitted"},
	} {
		if got := fmt.Sprint(IDMapError("/proc", c.recursive, c.err)); !strings.HasPrefix(got, c.want) {
			t.Errorf("got %s, expected %s", got, c.want)
		}
	}
	if d := fault.Of(IDMapError("/proc", false, unix.EINVAL)); d.Code != fault.NotSupported || !strings.HasPrefix(d.Hint, "remove the mappings") {
		t.Errorf("%+v", d)
	}
}
