// SPDX-License-Identifier: Apache-2.0

package child

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// roots returns two directories, each with the directories d and e.
func roots(t *testing.T) (a, b string) {
	t.Helper()
	a, b = filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	for _, d := range []string{a + "/d", a + "/e", b + "/d", b + "/e"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return a, b
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		all = append(all, e.Name())
	}
	return all
}

// open opens a root, without cloning it. Each gets the same descriptor, if the last one
// has been closed.
func open(path string) program.Operation {
	return program.OpenTree{Out: 8, Path: path, Flags: unix.OPEN_TREE_CLOEXEC}
}

var end = program.Exec{Args: []string{"/bin/true"}}

// The directory that is kept from one file to the next is that of the path in the root
// that each file's operation names.
func TestKeptParent(t *testing.T) {
	a, b := roots(t)
	link := func(path string) program.Operation {
		return program.Symlink{Root: 8, Target: "x", Path: path}
	}
	if _, m := interpret(t, open(a), link("/d/1"), link("/d/2"), link("/e/3"), link("4"), link("/5"), link("/d/new/6"), link("/d/new/7"),
		link("/e/8"), program.Close{File: 8}, open(b), link("/e/9"), end); m.Type != 0 {
		t.Fatalf("%+v", m)
	}
	for dir, want := range map[string][]string{
		a: {"4", "5", "d", "e"}, a + "/d": {"1", "2", "new"}, a + "/e": {"3", "8"}, a + "/d/new": {"6", "7"}, b + "/d": nil, b + "/e": {"9"},
	} {
		if got := names(t, dir); !slices.Equal(got, want) {
			t.Errorf("%s: %q, expected %q", dir, got, want)
		}
	}
}

// needMounts skips the test if this user cannot make mounts, and returns the operations
// that enter namespaces where the child can.
func needMounts(t *testing.T) []program.Operation {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("needs root to make mounts: the effective uid is %d", os.Geteuid())
	}
	return []program.Operation{
		program.Unshare{Namespaces: unix.CLONE_NEWNS},
		program.Propagate{Path: "/", Propagation: unix.MS_PRIVATE, Tree: true},
	}
}

// A mount on the directory is seen by the next operation.
func TestKeptParentCovered(t *testing.T) {
	a, _ := roots(t)
	link := program.Symlink{Root: 8, Target: "x", Path: "/d/1"}
	ops := append(needMounts(t), open(a), link, program.FSMount{Out: 9, Type: "tmpfs", Source: "tmpfs"}, program.Attach{Mount: 9, Root: 8, Destination: "/d"},
		program.Symlink{Root: 8, Target: "x", Path: "/d/2"}, program.Exec{Args: []string{"/bin/ls", a + "/d"}})
	if out, m := interpret(t, ops...); out != "2\n" {
		t.Errorf("on the mount: %q, %+v", out, m)
	}
	if got := names(t, a+"/d"); !slices.Equal(got, []string{"1"}) {
		t.Errorf("below the mount: %q", got)
	}
}

// A mount on the root is refused, whichever descriptor the root has, and whatever came
// before.
func TestKeptRoot(t *testing.T) {
	a, b := roots(t)
	tmpfs := program.FSMount{Out: 9, Type: "tmpfs", Source: "tmpfs"}
	at := func(path string) program.Operation { return program.Attach{Mount: 9, Root: 8, Destination: path} }
	enter := needMounts(t)
	for name, ops := range map[string][]program.Operation{
		"at once":        {tmpfs, open(a), at("/")},
		"by a way":       {tmpfs, open(a), at("/d/..")},
		"after another":  {open(a), tmpfs, at("/d"), program.Close{File: 9}, tmpfs, at("/")},
		"another root":   {open(a), tmpfs, at("/d"), program.Close{File: 9}, tmpfs, program.Close{File: 8}, open(b), at("/")},
		"mounted before": {open(a), tmpfs, at("/d"), program.Close{File: 9}, program.Close{File: 8}, open(a + "/d"), tmpfs, at("/")},
	} {
		_, m := interpret(t, append(append(slices.Clone(enter), ops...), end)...)
		if m.Type != wire.Failed || int(m.Index) != len(enter)+len(ops)-1 || m.Detail != wire.OnRoot {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

// A mount point is made where the path leads in the root: whole directories, through a
// dangling symlink, and with a slash at the end.
func TestMountPoints(t *testing.T) {
	a, _ := roots(t)
	for link, target := range map[string]string{"/d/up": "../e/x/y", "/d/out": "/../../e/z", "/d/loop": "loop"} {
		if err := os.Symlink(target, a+link); err != nil {
			t.Fatal(err)
		}
	}
	enter := needMounts(t)
	for path, want := range map[string]string{"/d/1": "/d/1", "/d/2/3/4": "/d/2/3/4", "/d/5/": "/d/5", "/d/up": "/e/x/y", "/d/out": "/e/z", "new": "/new", "/d/up/6": "/e/x/y/6"} {
		_, m := interpret(t, append(slices.Clone(enter), open(a), program.FSMount{Out: 9, Type: "tmpfs", Source: "tmpfs"},
			program.Attach{Mount: 9, Root: 8, Destination: path}, end)...)
		if st, err := os.Lstat(a + want); err != nil || !st.IsDir() || m.Type != 0 {
			t.Errorf("%s: %v, %+v", path, err, m)
		}
	}
	for path, errno := range map[string]unix.Errno{"/d/loop": unix.ELOOP, "/d/file/x": unix.ENOTDIR} {
		if err := os.WriteFile(a+"/d/file", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, m := interpret(t, append(slices.Clone(enter), open(a), program.FSMount{Out: 9, Type: "tmpfs", Source: "tmpfs"},
			program.Attach{Mount: 9, Root: 8, Destination: path}, end)...)
		if m.Type != wire.Failed || m.Errno != errno {
			t.Errorf("%s: %+v, expected %v", path, m, errno)
		}
	}
}

// The program of more arguments than fit in the child's own memory gets all of them.
func TestManyArguments(t *testing.T) {
	for _, n := range []int{1, 90, 5000} {
		out, m := interpret(t, program.Exec{Args: append([]string{"/bin/echo"}, slices.Repeat([]string{"a"}, n)...), Env: slices.Repeat([]string{"B=c"}, n)})
		if want := strings.Repeat("a ", n-1) + "a\n"; out != want {
			t.Errorf("%d arguments: %d bytes, %+v", n, len(out), m)
		}
	}
}

// The child takes little memory: the program that it runs is mapped beside its own, and
// its variables take one page.
func TestMemory(t *testing.T) {
	const near = 2 << 20 // what one page of page tables is for, with pages of 4 KiB
	areas := mapped(t)
	var text, image uint64
	for _, a := range areas {
		switch {
		case strings.HasSuffix(a.name, "/child"):
			text = a.begin
		case strings.HasSuffix(a.name, "/program"):
			image = a.begin
		}
	}
	if text == 0 || image < text || image-text > near && os.Getpagesize() == 4096 {
		t.Errorf("its memory begins at %#x, the program at %#x", text, image)
	}
	dirty := 0
	for _, a := range areas {
		if a.writable && a.name != "[stack]" {
			dirty += a.dirty
		}
	}
	if dirty != os.Getpagesize()>>10 {
		t.Errorf("its variables take %d KiB", dirty)
	}
}

type area struct {
	begin    uint64
	writable bool
	name     string
	dirty    int // KiB
}

// mapped returns the memory of a child that waits for an answer.
func mapped(t *testing.T) (all []area) {
	t.Helper()
	cmd, conn := begin(t, nil, program.Sync{Message: wire.Ready})
	defer func() {
		conn.Close()
		_ = cmd.Wait() // it exits when the connection ends
	}()
	if m, err := conn.Receive(); err != nil || m.Type != wire.Ready {
		t.Fatalf("%+v, %v", m, err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := append(strings.Fields(line), "")
		if begin, _, found := strings.Cut(f[0], "-"); found {
			n, err := strconv.ParseUint(begin, 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, area{begin: n, writable: f[1][1] == 'w', name: f[5]})
		} else if f[0] == "Private_Dirty:" {
			if all[len(all)-1].dirty, err = strconv.Atoi(f[1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}
