// SPDX-License-Identifier: Apache-2.0

package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/tests/isolate"
)

// patience is how long one call of skiff, or one wait, may take.
const patience = 60 * time.Second

// world has the directories, the cgroup and the user of one script.
type world struct {
	root   string // state directory
	cgroup string // cgroup path
	work   string // working directory, with all bundles

	systemd bool // cgroups are made through systemd; cgroup is then a slice

	user  bool     // an ordinary user calls skiff
	skiff string   // the binary for that user
	leaf  *os.File // the cgroup where that user's processes start, if one is delegated

	manager *manager                     // of the command manager
	sockets map[string]*net.UnixListener // of the command listen, by name
}

// newWorld returns the world of a script whose directory is work.
func newWorld(work, script string) *world {
	w := &world{root: filepath.Join(work, ".root"), cgroup: filepath.Join("/", ownCgroup, script), work: work}
	if w.systemd = throughSystemd(); w.systemd {
		// A dash would mean a slice within another one.
		w.cgroup = "/" + strings.ReplaceAll(script, "-", "_") + ".slice"
	}
	return w
}

// throughSystemd reports whether cgroups are made through systemd.
func throughSystemd() bool { return os.Getenv("SKIFF_DRIVER") == "systemd" }

type worldKey struct{}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

// result is the result of a call of skiff.
type result struct {
	code           int
	stdout, stderr string
}

// run calls skiff. The output goes to files: a container that stays would keep a pipe
// open.
func (w *world) run(dir string, env []string, args ...string) (*result, error) {
	out, err := os.CreateTemp(w.work, ".out-*")
	if err != nil {
		return nil, err
	}
	defer discard(out)
	errs, err := os.CreateTemp(w.work, ".err-*")
	if err != nil {
		return nil, err
	}
	defer discard(errs)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.binary(), append(w.flags(), args...)...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = dir, env, out, errs, w.attr()
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("skiff %q did not end within %v", args, patience)
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	stdout, err := written(out)
	if err != nil {
		return nil, err
	}
	stderr, err := written(errs)
	return &result{cmd.ProcessState.ExitCode(), string(stdout), string(stderr)}, err
}

// written reads what a process has written to a file that it inherited. It uses the same
// descriptor, since the file may belong to the container's user by now.
func written(f *os.File) ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(f, 0, 1<<62))
}

func discard(f *os.File) {
	f.Close()
	os.Remove(f.Name())
}

// flags returns the flags of every call of skiff.
func (w *world) flags() []string {
	flags := []string{"--root", w.root}
	if w.systemd {
		flags = append(flags, "--systemd-cgroup")
	}
	return flags
}

// cgroupsPath returns the linux.cgroupsPath of a container in the script's cgroup.
func (w *world) cgroupsPath(name string) string {
	if w.systemd {
		// The names of units are unique, whatever slice they are in.
		return w.slice() + ":" + strings.TrimSuffix(w.slice(), ".slice") + ":" + name
	}
	return w.cgroup + "/" + name
}

// examples has the configurations that skiff spec has written, by the user who ran it:
// another call would write the same.
var examples sync.Map

// example writes into dir the configuration that skiff spec writes.
func (w *world) example(dir string) error {
	config := filepath.Join(dir, "config.json")
	if text, ok := examples.Load(w.user); ok {
		return errors.Join(os.WriteFile(config, text.([]byte), 0o644), w.giveToUser(dir))
	}
	call := []string{"spec", "--bundle", dir}
	if w.user || os.Geteuid() != 0 {
		call = append(call, "--rootless")
	}
	r, err := w.run(dir, os.Environ(), call...)
	if err != nil {
		return err
	}
	if r.code != 0 {
		return fmt.Errorf("skiff spec: exit status %d: %s", r.code, r.stderr)
	}
	text, err := os.ReadFile(config)
	examples.Store(w.user, text)
	return err
}

// slice returns the name of the slice of the script's containers.
func (w *world) slice() string { return filepath.Base(w.cgroup) }

// groupDir returns the directory of a container's cgroup.
func (w *world) groupDir(name string) string {
	if w.systemd {
		name = strings.TrimSuffix(w.slice(), ".slice") + "-" + name + ".scope"
	}
	return filepath.Join(w.cgroupDir(), name)
}

// spec writes the example into a bundle, and returns a patch for it: no terminal, the
// script's cgroup, and for an ordinary user the ids and the network namespace that
// engines would add.
func (w *world) spec(bundle string) (patch map[string]any, err error) {
	linux := make(map[string]any)
	if byUser() && !w.user {
		own, err := ownMaps()
		if err != nil {
			return nil, err
		}
		maps.Copy(linux, own)
		linux["namespaces+"] = []any{map[string]any{"type": "network"}}
	}
	if isolate.Legacy() { // the example has no cgroup namespace with cgroup v1
		linux["namespaces+"] = []any{map[string]any{"type": "cgroup"}}
	}
	if w.systemd || !w.user && (!byUser() || ownCgroup != "") {
		linux["cgroupsPath"] = w.cgroupsPath(filepath.Base(bundle))
	}
	return map[string]any{"process": map[string]any{"terminal": false}, "linux": linux}, w.example(bundle)
}

// containers returns the ids of the containers in the state directory.
func (w *world) containers() ([]string, error) {
	entries, err := os.ReadDir(w.root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var ids []string
	for _, e := range entries {
		// A name that is not an id is that of skiff's cache of seccomp filters.
		if e.IsDir() && libcontainer.CheckID(e.Name()) == nil {
			ids = append(ids, e.Name())
		}
	}
	return ids, err
}

// remove deletes all containers of the script, and its cgroup.
func (w *world) remove() error {
	ids, err := w.containers()
	for _, id := range ids {
		r, runErr := w.run(w.work, os.Environ(), "delete", "--force", id)
		switch {
		case runErr != nil:
			err = errors.Join(err, runErr)
		case r.code != 0:
			err = errors.Join(err, fmt.Errorf("delete --force %s: %s", id, r.stderr))
		}
	}
	if w.leaf != nil {
		err = errors.Join(err, w.leaf.Close())
		_ = os.Remove(w.leaf.Name())
	}
	if containers() {
		_ = os.WriteFile(w.cgroupDir()+"/cgroup.kill", []byte("1"), 0)
		w.thaw()
		for _, dir := range w.cgroupDirs() {
			_ = os.Remove(dir)
		}
	}
	return err
}

// thaw thaws the cgroups that a failed script has left frozen with cgroup v1: their
// processes could not die, and the tests would not end.
func (w *world) thaw() {
	if !isolate.Legacy() {
		return
	}
	f, err := os.Open(filepath.Join("/sys/fs/cgroup/freezer", w.cgroup))
	if err != nil {
		return
	}
	defer f.Close()
	walk := sys.Walk{Enter: func(fd int, _ string, _ int) error {
		_ = os.WriteFile(fmt.Sprintf("/proc/self/fd/%d/freezer.state", fd), []byte("THAWED"), 0)
		return nil
	}}
	_ = walk.Run(int(f.Fd()))
}

// stopSlices stops the slices of all scripts, which systemd would not remove.
func stopSlices() error {
	if !throughSystemd() {
		return nil
	}
	if !byUser() {
		if err := stopSlicesOf(exec.Command("systemctl")); err != nil {
			return err
		}
	}
	if _, err := os.Stat(userRuntime()); err != nil {
		return nil
	}
	cmd := exec.Command("systemctl", "--user")
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+userRuntime())
	cmd.SysProcAttr = (&world{user: !byUser()}).attr()
	return stopSlicesOf(cmd)
}

func stopSlicesOf(systemctl *exec.Cmd) error {
	systemctl.Args = append(systemctl.Args, "stop", "script_*.slice")
	if out, err := systemctl.CombinedOutput(); err != nil {
		return fmt.Errorf("%q: %w: %s", systemctl.Args, err, out)
	}
	return nil
}

func (w *world) cgroupDir() string {
	if w.systemd && (w.user || byUser()) {
		return filepath.Join(userUnits(), w.cgroup)
	}
	return filepath.Join(isolate.Unified(), w.cgroup)
}

// cgroupDirs returns the script's cgroups in all hierarchies.
func (w *world) cgroupDirs() []string {
	if !isolate.Legacy() {
		return []string{w.cgroupDir()}
	}
	dirs, _ := filepath.Glob(filepath.Join("/sys/fs/cgroup", "*", w.cgroup))
	return dirs
}

// leftovers lists what the script's containers have left behind.
func (w *world) leftovers() ([]string, error) {
	left, err := w.containers()
	if err != nil {
		return nil, err
	}
	var groups []string
	for _, dir := range w.cgroupDirs() {
		more, err := filepath.Glob(dir + "/*/cgroup.procs")
		if err != nil {
			return nil, err
		}
		groups = append(groups, more...)
	}
	for _, g := range groups {
		if w.leaf == nil || filepath.Dir(g) != w.leaf.Name() {
			left = append(left, g)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, " "+w.work+"/") {
			left = append(left, "mount "+line)
		}
	}
	return append(left, w.processes()...), nil
}

// processes lists the processes whose root or working directory is in the script's
// directory, or whose command line contains its path.
func (w *world) processes() []string {
	var left []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		root, _ := os.Readlink(dir + "/root")
		cwd, _ := os.Readlink(dir + "/cwd")
		cmdline, _ := os.ReadFile(dir + "/cmdline")
		// The name of one script may be a prefix of another's.
		work := w.work + "/"
		if strings.HasPrefix(root+"/", work) || strings.HasPrefix(cwd+"/", work) || bytes.Contains(cmdline, []byte(work)) {
			left = append(left, fmt.Sprintf("process %s: %q", filepath.Base(dir), cmdline))
		}
	}
	return left
}
