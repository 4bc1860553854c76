package proc

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Stat is what is used of /proc/PID/stat (proc_pid_stat(5)).
type Stat struct {
	State   byte   // 'R', 'S', 'Z' ...
	Parent  int    // 0: it is not in this pid namespace
	Group   int    // process group
	Threads int    // of the process that have not ended; the leader counts while it is a zombie
	Start   uint64 // clock ticks after boot
	Exiting bool   // it has begun to end; it may have to wait for others
}

// Ended reports whether nothing of the process runs any more. A leader that has
// ended while threads of it go on is alive.
func (s *Stat) Ended() bool { return (s.State == 'Z' || s.State == 'X') && s.Threads <= 1 }

var errShort = errors.New("too short")

// ParseStat reads the text of the file. The name, in parentheses, may hold
// anything: the fields after its end are the third and following.
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
