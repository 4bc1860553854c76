// SPDX-License-Identifier: Apache-2.0

package libcontainer

import "github.com/skiff-oci/skiff/libcontainer/sys"

// warnStrays warns about processes that CRIU silently leaves out of a checkpoint: those
// that do not descend from the container's first process, because an exec started them.
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
			c.host.warn("process %d is not part of the checkpoint, because it was started by exec", pid)
		}
	}
	return nil
}

// descends reports whether a process is ancestor or descends from it.
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

// parentOf returns the parent of a process, or 0 if the process has just ended.
func parentOf(pid int) int {
	st, err := sys.ReadStat(pid)
	if err != nil || st == nil {
		return 0
	}
	return st.Parent
}
