// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/launch"
	"github.com/skiff-oci/skiff/libcontainer/store"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// alive is init, without a look into /proc where the kernel tells the first process from
// all others by a number.
func (c *Container) alive() (bool, error) {
	r := c.record
	if r.Pid != 0 && r.Inode != 0 && r.BootID != "" && r.BootID == sys.BootID() {
		inode, ended, err := sys.LookAt(r.Pid)
		if err == nil && inode == r.Inode {
			return !ended, nil
		}
	}
	return c.init()
}

// init reports whether the container's first process is alive: the same process
// still, since the kernel uses pids again. A leader that has ended while threads
// of it go on is alive.
func (c *Container) init() (bool, error) {
	r := c.record
	if r.Pid == 0 {
		return false, nil
	}
	st, err := sys.ReadStat(r.Pid)
	if err != nil {
		return false, err
	}
	if st == nil || r.StartTime == 0 || st.Start != r.StartTime {
		return c.initByPidfd()
	}
	c.state = st.State
	return !st.Ended() && sameBoot(r.BootID, sys.BootID()), nil
}

// initByPidfd is init where /proc shows no such process, or has another one by
// that number: it may have the numbers of another pid namespace.
func (c *Container) initByPidfd() (bool, error) {
	r := c.record
	pidfd, err := sys.Pidfd(r.Pid)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return false, nil // or it is a thread of another process
	}
	if err != nil {
		if sys.Gone(r.Pid) {
			err = nil
		}
		return false, err
	}
	defer pidfd.Close()
	ended, err := sys.PidfdEnded(pidfd)
	if err != nil || ended || !sameBoot(r.BootID, sys.BootID()) {
		return false, err
	}
	seen, err := look(pidfd)
	if err != nil {
		return false, err
	}
	if is, known := seen.is(r); known {
		return is, nil
	}
	if c.entry.Waited() {
		return true, nil // as it has been since create
	}
	err = fault.With(fault.NotSupported, fmt.Errorf("cannot tell whether process %d is still the container's: /proc hides it, or did when the container was created, and the kernel lacked pidfs", r.Pid))
	return false, fault.Hint(err, "mount /proc without hidepid, or use Linux 6.9 or later")
}

// sighting is what can be seen of a process that tells it from others.
type sighting struct {
	inode uint64 // 0: not known
	start uint64 // likewise
}

// look looks at the process behind a pidfd.
func look(pidfd *os.File) (sighting, error) {
	s := sighting{inode: sys.PidfdInode(pidfd)}
	st, err := sys.ReadStat(sys.PidfdInProc(pidfd))
	if st != nil {
		s.start = st.Start
	}
	return s, err
}

// is reports whether the process is the first of the record, if that is known.
func (s sighting) is(r *store.Record) (is, known bool) {
	switch {
	case s.inode != 0 && r.Inode != 0:
		return s.inode == r.Inode, true
	case s.start != 0 && r.StartTime != 0:
		return s.start == r.StartTime, true
	}
	return false, false
}

// sameBoot compares two ids of boots. A /proc that has less than all of the
// kernel's files does not have it.
func sameBoot(a, b string) bool { return a == b || a == "" || b == "" }

// sight writes into the record what the first process is known by. /proc may
// hide it until it runs the user's program; its inode number is enough then.
func (c *Container) sight(run *launch.Running) error {
	st, err := sys.ReadStat(run.Pid)
	if err != nil {
		return err
	}
	if st == nil || st.Parent != os.Getpid() {
		// Not shown, or another one with that number in an outer pid namespace.
		if st, err = sys.ReadStat(sys.PidfdInProc(run.Pidfd)); err != nil {
			return err
		}
	}
	if st == nil {
		if ended, err := sys.PidfdEnded(run.Pidfd); err != nil || ended {
			return errors.Join(err, fault.New(fault.NotRunning, "the container's first process has ended"))
		}
	}
	r := c.record
	r.Pid, r.Inode, r.BootID = run.Pid, sys.PidfdInode(run.Pidfd), sys.BootID()
	if st != nil {
		r.StartTime = st.Start
	}
	return nil
}

// sightLate completes the record of a process that runs the user's program by
// now, if nothing could be seen of it before.
func (c *Container) sightLate() error {
	r := c.record
	if r.Inode != 0 || r.StartTime != 0 {
		return nil
	}
	st, err := sys.ReadStat(sys.InProc(r.Pid))
	if err != nil || st == nil {
		return err
	}
	r.StartTime = st.Start
	return c.entry.Write(r)
}
