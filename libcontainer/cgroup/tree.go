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

// What lies below a container's cgroup may be the container's own: thousands of
// levels, names that make a path longer than any that the kernel takes, and
// more of them at each moment. So nothing below is ever opened by its path.

// walk calls f for d and every cgroup below it, the top one first. Those that
// vanish meanwhile are left out.
func (d dir) walk(f func(dir) error) error {
	w := sys.Walk{Enter: func(fd int, name string, depth int) error {
		if err := f(d.below(fd, name, depth)); !gone(err) {
			return err
		}
		return nil
	}}
	return d.told(w.Run(d.fd))
}

// below is a cgroup that a walk through d has come to. Its path is for
// messages, and leaves out what is in between.
func (d dir) below(fd int, name string, depth int) dir {
	switch depth {
	case 0:
		return d
	case 1:
		return dir{fd, d.path + "/" + name}
	}
	return dir{fd, d.path + "/.../" + name}
}

// told adds to an error of a walk where it was, if it does not say so.
func (d dir) told(err error) error {
	if e := (*sys.Error)(nil); errors.As(err, &e) {
		return fmt.Errorf("below %s: %w", d.path, err)
	}
	return err
}

// removeBelow removes the cgroups below d, but for those that processes are in,
// and those above these.
func (d dir) removeBelow() error { return d.told(sys.RemoveDirectories(d.fd)) }

// pidsBelow lists the processes of the cgroup at path and of all below it.
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

// allPids lists the processes of d and of all cgroups below it, in order. Those
// of a threaded cgroup are listed by the domain above it; if that is above d,
// they are found by their threads.
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

// isThreaded reports that cgroup.procs or cgroup.kill was refused, since the
// cgroup holds threads of processes that belong to a cgroup above it.
func isThreaded(err error) bool { return errors.Is(err, unix.EOPNOTSUPP) }

// pids lists the processes right in d. A process that this pid namespace
// cannot see is 0.
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

// threadGroups lists the processes that have threads right in d.
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
