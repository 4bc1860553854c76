// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// A container may own the cgroups below its own. It can make thousands of levels, paths
// longer than PATH_MAX, and new cgroups at any time. So no cgroup below is opened by
// its path; see [sys.Walk].

// walk calls f for d and every cgroup below it, parents first. Those that vanish during
// the walk are skipped.
func (d dir) walk(f func(dir) error) error {
	w := sys.Walk{Enter: func(fd int, name string, depth int) error {
		if err := f(d.below(fd, name, depth)); !gone(err) {
			return err
		}
		return nil
	}}
	return d.withPath(w.Run(d.fd))
}

// below returns the cgroup that a walk of d has reached. Its path is for error messages
// and leaves out the levels in between.
func (d dir) below(fd int, name string, depth int) dir {
	switch depth {
	case 0:
		return d
	case 1:
		return dir{fd, d.path + "/" + name}
	}
	return dir{fd, d.path + "/.../" + name}
}

// withPath adds d's path to an error of the walk itself; other errors name their path
// already.
func (d dir) withPath(err error) error {
	if e := (*sys.Error)(nil); errors.As(err, &e) {
		return fmt.Errorf("below %s: %w", d.path, err)
	}
	return err
}

// removeBelow removes the cgroups below d, except those with processes and the
// ancestors of these.
func (d dir) removeBelow() error { return d.withPath(sys.RemoveDirectories(d.fd)) }

// pidsBelow lists the processes of the cgroup at path and of all cgroups below it; none
// if it does not exist.
func pidsBelow(path string) ([]int, error) {
	d, err := openDir(path)
	if err != nil {
		if gone(err) {
			return nil, nil
		}
		return nil, err
	}
	defer d.close()
	return d.allPids()
}

// allPids lists the processes of d and of all cgroups below it, sorted. The processes
// of a threaded cgroup are listed in the domain above it. If d itself is threaded, that
// domain is above d, and the processes are found by their threads.
func (d dir) allPids() ([]int, error) {
	var pids []int
	threaded := false
	err := d.walk(func(at dir) error {
		more, err := at.pids()
		if isThreaded(err) && at == d {
			threaded = true
		}
		if isThreaded(err) {
			more, err = nil, nil
			if threaded {
				more, err = at.threadGroups()
			}
		}
		pids = append(pids, more...)
		return err
	})
	slices.Sort(pids)
	return slices.Compact(pids), err
}

// isThreaded reports whether err is the kernel's refusal of cgroup.procs or cgroup.kill
// in a threaded cgroup, whose threads are of processes that belong to a cgroup above
// it.
func isThreaded(err error) bool { return errors.Is(err, unix.EOPNOTSUPP) }

// pids lists the processes in d itself. A process that this pid namespace cannot see is
// listed as 0.
func (d dir) pids() ([]int, error) { return d.numbers("cgroup.procs") }

func (d dir) numbers(file string) ([]int, error) {
	s, err := d.read(file)
	if err != nil {
		return nil, err
	}
	var all []int
	for f := range strings.FieldsSeq(s) {
		n, err := strconv.Atoi(f)
		if err != nil {
			return nil, fmt.Errorf("%s/%s: %w", d.path, file, err)
		}
		all = append(all, n)
	}
	return all, nil
}

// threadGroups lists the processes that have threads in d itself.
func (d dir) threadGroups() ([]int, error) {
	tids, err := d.numbers("cgroup.threads")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, tid := range tids {
		pid, err := sys.ThreadGroup(tid)
		if err != nil {
			return nil, err
		}
		if pid != 0 {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
