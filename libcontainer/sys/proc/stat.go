// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Stat has those fields of /proc/PID/stat (proc_pid_stat(5)) that skiff uses.
type Stat struct {
	State   byte   // 'R', 'S', 'Z' ...
	Parent  int    // 0: the parent is not in this pid namespace
	Group   int    // process group
	Threads int    // number of threads that have not ended; the leader counts even as a zombie
	Start   uint64 // clock ticks after boot
	Exiting bool   // it has begun to exit, and may still wait for others
}

// Ended reports whether no thread of the process runs any more. A process whose leader
// has ended while other threads go on is alive.
func (s *Stat) Ended() bool { return (s.State == 'Z' || s.State == 'X') && s.Threads <= 1 }

var errShort = errors.New("too short")

// ParseStat parses the text of the file. The name, in parentheses, may contain anything,
// so fields are counted from its end: the first one after it is the third.
func ParseStat(text string) (s Stat, err error) {
	end := strings.LastIndexByte(text, ')')
	if end < 0 {
		return s, errShort
	}
	f := strings.Fields(text[end+1:])
	if len(f) < 20 {
		return s, errShort
	}
	s.State = f[0][0]
	if s.Parent, err = strconv.Atoi(f[1]); err != nil {
		return s, fmt.Errorf("parent: %w", err)
	}
	if s.Group, err = strconv.Atoi(f[2]); err != nil {
		return s, fmt.Errorf("process group: %w", err)
	}
	if s.Threads, err = strconv.Atoi(f[17]); err != nil {
		return s, fmt.Errorf("threads: %w", err)
	}
	if s.Start, err = strconv.ParseUint(f[19], 10, 64); err != nil {
		return s, fmt.Errorf("start time: %w", err)
	}
	flags, err := strconv.ParseUint(f[6], 10, 64)
	if err != nil {
		return s, fmt.Errorf("flags: %w", err)
	}
	const exiting = 4 // PF_EXITING of linux/sched.h
	s.Exiting = flags&exiting != 0
	return s, nil
}
