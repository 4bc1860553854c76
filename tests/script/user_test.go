// SPDX-License-Identifier: Apache-2.0

package script

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// The ordinary user of the command asuser, and the user's ranges of ids in /etc/subuid
// and /etc/subgid. They exist only in the tests' mount namespace.
const (
	ordinaryID = 15000
	subFirst   = 100000
	subSize    = 65536
	userName   = "skiffuser"
)

// systemdUser returns the uid of the ordinary user whose systemd instance is used: the
// user who calls skiff in all scripts, or the one of asuser. systemd is outside the
// tests' mount namespace, so this user must exist there, too.
func systemdUser() int {
	if os.Geteuid() != 0 {
		return os.Getuid()
	}
	return ordinaryID
}

// userRuntime returns the runtime directory of that user.
func userRuntime() string { return fmt.Sprintf("/run/user/%d", systemdUser()) }

// userUnits returns the directory with the cgroups of that instance's units.
func userUnits() string {
	return fmt.Sprintf("/sys/fs/cgroup/user.slice/user-%[1]d.slice/user@%[1]d.service", systemdUser())
}

// ordinaryUser creates the user, once.
var ordinaryUser = sync.OnceValue(func() error {
	dir, err := os.MkdirTemp(os.Getenv(scratchVariable), "user")
	if err != nil {
		return err
	}
	if err := coverEtc(dir, "/etc/subuid", "/etc/subgid"); err != nil {
		return err
	}
	for _, f := range []struct{ path, line string }{
		{"/etc/passwd", fmt.Sprintf("%s:x:%d:%d::/:/bin/sh\n", userName, ordinaryID, ordinaryID)},
		{"/etc/group", fmt.Sprintf("%s:x:%d:\n", userName, ordinaryID)},
		{"/etc/subuid", fmt.Sprintf("%s:%d:%d\n", userName, subFirst, subSize)},
		{"/etc/subgid", fmt.Sprintf("%s:%d:%d\n", userName, subFirst, subSize)},
	} {
		if err := addLine(dir, f.path, f.line); err != nil {
			return err
		}
	}
	return nil
})

// coverEtc mounts an overlay on /etc if one of the files does not exist, and makes it
// there: a file to mount another one on cannot be made without changing the host.
func coverEtc(dir string, files ...string) error {
	covered := false
	for _, path := range files {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if !covered {
			if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
				return fmt.Errorf("mount a tmpfs: %w", err)
			}
			upper, work := filepath.Join(dir, "upper"), filepath.Join(dir, "work")
			if err := errors.Join(os.Mkdir(upper, 0o755), os.Mkdir(work, 0o755)); err != nil {
				return err
			}
			if err := unix.Mount("overlay", "/etc", "overlay", 0, "lowerdir=/etc,upperdir="+upper+",workdir="+work); err != nil {
				return fmt.Errorf("the host has no %s, and /etc cannot be covered: mount an overlay: %w", path, err)
			}
			covered = true
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// addLine bind-mounts over path a copy with one more line.
func addLine(dir, path, line string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if bytes.HasPrefix(b, []byte(userName+":")) || bytes.Contains(b, []byte("\n"+userName+":")) {
		return nil
	}
	copied := filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(copied, append(b, line...), 0o644); err != nil {
		return err
	}
	return unix.Mount(copied, path, "", unix.MS_BIND, "")
}

// userSkiff is the path of a copy of skiff that everybody can reach.
var userSkiff = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp(os.Getenv(scratchVariable), "bin")
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(os.Getenv("SKIFF"))
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "skiff")
	return path, errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, b, 0o755))
})

// ordinaryUsers returns the reason why containers of an ordinary user cannot be tested
// here, or "" if they can.
var ordinaryUsers = sync.OnceValue(func() string {
	if !containers() {
		return "not root"
	}
	if throughSystemd() {
		if _, err := os.Stat(userRuntime() + "/systemd/private"); err != nil {
			return fmt.Sprintf("the user %d has no instance of systemd: %v", systemdUser(), err)
		}
	}
	cmd := exec.Command("unshare", "--user", "--map-root-user", "true")
	cmd.SysProcAttr = (&world{user: true}).attr()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Sprintf("unshare --user as an ordinary user: %v: %s", err, out)
	}
	for _, name := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(name); err != nil {
			return err.Error() + " (Debian: uidmap)"
		}
	}
	if byUser() {
		if _, err := ownMaps(); err != nil {
			return err.Error()
		}
	}
	return ""
})

// cmdAsUser implements "asuser [-delegated]": from here on the ordinary user runs skiff,
// bundle, status and clean, and owns all files in the script's directory; with
// -delegated, also the cgroup $CGROUP. $SKIFF is a binary that the user can reach.
func cmdAsUser(ts *testscript.TestScript, neg bool, args []string) {
	delegated := len(args) == 1 && args[0] == "-delegated"
	if neg || len(args) > 0 && !delegated {
		ts.Fatalf("usage: asuser [-delegated]")
	}
	ts.Check(ordinaryUser())
	skiff, err := userSkiff()
	ts.Check(err)
	w := worldOf(ts)
	w.user, w.skiff = true, skiff
	ts.Setenv("SKIFF", skiff)
	// Parents of the script's directory may be accessible only to root.
	ts.Check(reachable(w.work))
	ts.Check(w.giveToUser(w.work))
	if delegated {
		ts.Check(w.delegate())
	}
}

// delegate creates a cgroup and gives it to the user, whose processes start in a child of
// it (cgroups(7), "Cgroups delegation").
func (w *world) delegate() error {
	top := w.cgroupDir()
	leaf := filepath.Join(top, "leaf")
	if err := os.MkdirAll(leaf, 0o755); err != nil {
		return err
	}
	err := errors.Join(chownCgroup(top), chownCgroup(leaf))
	if err != nil {
		return err
	}
	w.leaf, err = os.Open(leaf)
	return err
}

// giveToUser changes the owner of all files in dir to the world's user.
func (w *world) giveToUser(dir string) error {
	if !w.user || byUser() {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, ordinaryID, ordinaryID)
	})
}

// attr returns how to start a process of the world's user.
func (w *world) attr() *syscall.SysProcAttr {
	if !w.user || byUser() && os.Geteuid() != 0 {
		return nil
	}
	a := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinaryID, Gid: ordinaryID}}
	if w.leaf != nil {
		a.UseCgroupFD, a.CgroupFD = true, int(w.leaf.Fd())
	}
	return a
}

// binary returns the path of the skiff that the world's user runs.
func (w *world) binary() string {
	if w.user {
		return w.skiff
	}
	return os.Getenv("SKIFF")
}

// cmdUserExec implements "[!] userexec PROGRAM ARG...": it runs the program as the
// ordinary user.
func cmdUserExec(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 || !worldOf(ts).user {
		ts.Fatalf("usage: userexec PROGRAM ARG..., after asuser")
	}
	cmd := exec.Command(args[0], args[1:]...)
	if args[0] == "skiff" {
		cmd.Path, cmd.Err = worldOf(ts).skiff, nil
	} else if !strings.Contains(args[0], "/") {
		path, err := exec.LookPath(args[0])
		ts.Check(err)
		cmd.Path, cmd.Err = path, nil
	}
	cmd.Dir, cmd.SysProcAttr = ts.MkAbs("."), worldOf(ts).attr()
	cmd.Env = []string{"PATH=" + filepath.Dir(worldOf(ts).skiff) + ":" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME")}
	for _, name := range []string{"XDG_RUNTIME_DIR", "ROOT"} {
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	out, err := os.CreateTemp(worldOf(ts).work, ".out-*")
	ts.Check(err)
	defer discard(out)
	errs, err := os.CreateTemp(worldOf(ts).work, ".err-*")
	ts.Check(err)
	defer discard(errs)
	cmd.Stdout, cmd.Stderr = out, errs
	failed := cmd.Run()
	for _, c := range []struct {
		from *os.File
		to   interface{ Write([]byte) (int, error) }
	}{{out, ts.Stdout()}, {errs, ts.Stderr()}} {
		b, err := os.ReadFile(c.from.Name())
		ts.Check(err)
		_, err = c.to.Write(b)
		ts.Check(err)
	}
	if (failed != nil) != neg {
		ts.Fatalf("%q: %v", args, failed)
	}
}
