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

// base is the folder of everything the engines keep: it is below the tmpfs that covers /run.
const base = "/run/engines"

// covered are the folders that engines write to, whatever their configuration says. Each gets a tmpfs of its own.
var covered = []string{"/run", "/etc/docker", "/var/lib/containers", "/var/cache/containers", "/var/lib/cni"}

// A sandbox is what has to be undone on the host after the tests.
type sandbox struct {
	name  string   // of the cgroup, in every hierarchy
	trees []string // mount points of the cgroup hierarchies; the unified one is the first
	made  []string // folders that did not exist
}

// newSandbox makes the cgroup that holds the daemons, and the missing ones of the covered folders.
func newSandbox() (*sandbox, error) {
	trees, err := cgroupTrees()
	if err != nil {
		return nil, err
	}
	s := &sandbox{name: fmt.Sprintf("engines-%d", os.Getpid()), trees: trees}
	for _, tree := range trees { // all of them here and now: the engines and the runtime make and keep the missing ones
		if err := os.Mkdir(filepath.Join(tree, s.name), 0o755); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	if err := errors.Join(os.Mkdir(s.harness(), 0o755), s.handOn()); err != nil {
		return nil, errors.Join(err, s.close())
	}
	for _, dir := range covered {
		if err := s.mkdir(dir); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	if bySystemd() { // or its first container would make it, and leave it
		if err := silently("systemctl", "start", sliceOf(s.name)); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// mkdir makes dir and its parents and remembers those that were not there.
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

// harness is the cgroup of the tests and the daemons. The containers' cgroups are its siblings: a cgroup with processes
// of its own may not hand controllers on (cgroup v2, "no internal processes").
func (s *sandbox) harness() string { return filepath.Join(s.trees[0], s.name, "harness") }

// handOn gives the daemons' cgroup all controllers of cgroup v2: they look into it for what the kernel can limit.
func (s *sandbox) handOn() error {
	dir := filepath.Join(s.trees[0], s.name)
	data, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	for _, controller := range strings.Fields(string(data)) {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0))
	}
	return err
}

// close kills what still runs and removes what was made. What cannot be removed is an error.
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

// removeTree kills every process in a cgroup and below, and removes the cgroups.
func removeTree(top string) error {
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		dirs := cgroupsBelow(top)
		for i := len(dirs) - 1; i >= 0; i-- {
			_ = os.WriteFile(filepath.Join(dirs[i], "freezer.state"), []byte("THAWED"), 0) // v1: a frozen process does not die
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

// cgroupsBelow lists a cgroup and all below it, parents first; none if it is gone.
func cgroupsBelow(top string) (dirs []string) {
	_ = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	return dirs
}

// pidsIn reads the processes of one cgroup; none if it is gone.
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

// cgroupTrees lists the mount points of all cgroup hierarchies, the unified one first: it keeps account of the daemons.
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

// A mountEntry is what the tests read of a line of mountinfo.
type mountEntry struct{ point, fstype, super string }

// mountTable reads the mounts of this process's namespace (proc_pid_mountinfo(5)).
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
