package libcontainer

import "github.com/skiff-oci/skiff/libcontainer/sys"

// warnStrays warns of processes that CRIU leaves out of a checkpoint without a
// word: those that do not descend from the container's first process, as an
// exec makes them.
func (c *Container) warnStrays() error {
	pids, err := c.Pids()
	if err != nil {
		return err
	}
	parents := make(map[int]int, len(pids))
	for _, pid := range pids {
		parents[pid] = parentOf(pid)
	}
	for _, pid := range pids {
		if parents[pid] != 0 && !descends(pid, c.record.Pid, parents) {
			c.host.warn("process %d is not part of the checkpoint: it was not started by the container, but by an exec", pid)
		}
	}
	return nil
}

// descends tells whether a process is ancestor or has it among its parents.
func descends(pid, ancestor int, parents map[int]int) bool {
	for pid != ancestor {
		parent, ok := parents[pid]
		if !ok {
			return false
		}
		pid = parent
	}
	return true
}

// parentOf gives the parent of a process; 0 if it has just ended.
func parentOf(pid int) int {
	st, err := sys.ReadStat(pid)
	if err != nil || st == nil {
		return 0
	}
	return st.Parent
}
