// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// base is the folder for all files of the tests. It is on the tmpfs that covers /run.
const base = "/run/engines"

// covered has the folders that engines write to, whatever their configuration. A tmpfs covers each of them.
var covered = []string{"/run", "/etc/containerd", "/etc/docker", "/var/lib/containers", "/var/cache/containers", "/var/lib/cni"}

// A sandbox is what has to be undone on the host after the tests.
type sandbox struct {
	name  string   // of the cgroup, in every hierarchy
	trees []string // mount points of the cgroup hierarchies; the unified one is the first
	made  []string // folders that did not exist
}

// newSandbox creates the cgroup of the daemons, and those of the covered folders that do not exist.
func newSandbox() (*sandbox, error) {
	trees, err := cgroupTrees()
	if err != nil {
		return nil, err
	}
	s := &sandbox{name: fmt.Sprintf("engines-%d", os.Getpid()), trees: trees}
	for _, tree := range trees { // in all hierarchies, since the engines and the runtime would create missing ones and not remove them
		if err := os.Mkdir(filepath.Join(tree, s.name), 0o755); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	if err := errors.Join(os.Mkdir(s.harness(), 0o755), s.enableControllers()); err != nil {
		return nil, errors.Join(err, s.close())
	}
	for _, dir := range covered {
		if err := s.mkdir(dir); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	if bySystemd() { // otherwise the first container would start the slice, and nothing would stop it
		if err := silently("systemctl", "start", sliceOf(s.name)); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// mkdir creates dir and its parents, and records those that did not exist.
func (s *sandbox) mkdir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := s.mkdir(filepath.Dir(dir)); err != nil {
		return err
	}
	s.made = append(s.made, dir)
	return os.Mkdir(dir, 0o755)
}

// harness returns the cgroup of the tests and the daemons. The containers' cgroups are its siblings: a cgroup that
// contains processes cannot enable controllers for its children (cgroup v2, "no internal processes").
func (s *sandbox) harness() string { return filepath.Join(s.trees[0], s.name, "harness") }

// enableControllers enables all controllers of cgroup v2 for the daemons' cgroup: they look there for what the kernel
// can limit.
func (s *sandbox) enableControllers() error {
	dir := filepath.Join(s.trees[0], s.name)
	data, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	for _, controller := range strings.Fields(string(data)) {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0))
	}
	return err
}

// close kills the processes that still run and removes what was created. It returns an error if something cannot be
// removed.
func (s *sandbox) close() error {
	var errs []error
	if bySystemd() {
		errs = append(errs, silently("systemctl", "stop", sliceOf(s.name)))
	}
	for _, tree := range s.trees {
		errs = append(errs, removeTree(filepath.Join(tree, s.name)))
	}
	for i := len(s.made) - 1; i >= 0; i-- {
		errs = append(errs, os.Remove(s.made[i]))
	}
	return errors.Join(errs...)
}

// removeTree kills every process in a cgroup and below it, and removes the cgroups.
func removeTree(top string) error {
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		dirs := cgroupsBelow(top)
		for i := len(dirs) - 1; i >= 0; i-- {
			_ = os.WriteFile(filepath.Join(dirs[i], "freezer.state"), []byte("THAWED"), 0) // v1: a frozen process cannot be killed
			for _, pid := range pidsIn(dirs[i]) {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
			err = os.Remove(dirs[i])
		}
		if len(dirs) == 0 || err == nil {
			return nil
		}
	}
	return fmt.Errorf("left behind: %w", err)
}

// cgroupsBelow returns a cgroup and all below it, parents first; none if it does not exist.
func cgroupsBelow(top string) (dirs []string) {
	_ = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	return dirs
}

// pidsIn returns the processes of a cgroup; none if it does not exist.
func pidsIn(dir string) (pids []int) {
	data, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	for _, line := range strings.Fields(string(data)) {
		var pid int
		if _, err := fmt.Sscan(line, &pid); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// cgroupTrees returns the mount points of all cgroup hierarchies. The unified one is first: through it the daemons are
// found and killed.
func cgroupTrees() ([]string, error) {
	var trees []string
	unified := ""
	for _, m := range mountTable() {
		switch {
		case m.fstype == "cgroup2" && unified == "":
			unified = m.point
		case m.fstype == "cgroup":
			trees = append(trees, m.point)
		}
	}
	if unified == "" {
		return nil, errors.New("no cgroup2 file system is mounted: the daemons could not be accounted for")
	}
	return append([]string{unified}, trees...), nil
}

// A mountEntry has the fields of a line of mountinfo that the tests need.
type mountEntry struct{ point, fstype, super string }

// mountTable returns the mounts of this process's mount namespace (proc_pid_mountinfo(5)).
func mountTable() (table []mountEntry) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		left, right, ok := strings.Cut(lines.Text(), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if ok && len(l) > 4 && len(r) > 2 {
			table = append(table, mountEntry{point: l[4], fstype: r[0], super: r[2]})
		}
	}
	return table
}
