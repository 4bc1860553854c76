package sys

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Stat is what is used of /proc/PID/stat (proc_pid_stat(5)).
type Stat struct {
	State   byte   // 'R', 'S', 'Z' ...
	Threads int    // of the process that have not ended; the leader counts while it is a zombie
	Start   uint64 // clock ticks after boot
}

// ReadStat reads the state of a process; nil without an error if there is no
// such process.
func ReadStat(pid int) (*Stat, error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	b, err := ReadFile(path)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// The name, in parentheses, may hold anything; the fields after the last
	// one are the third and following.
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 20 {
		return nil, fmt.Errorf("%s: too short", path)
	}
	s := &Stat{State: f[0][0]}
	if s.Threads, err = strconv.Atoi(string(f[17])); err != nil {
		return nil, fmt.Errorf("%s: threads: %w", path, err)
	}
	if s.Start, err = strconv.ParseUint(string(f[19]), 10, 64); err != nil {
		return nil, fmt.Errorf("%s: start time: %w", path, err)
	}
	return s, nil
}

// BootID tells one boot of the machine from another; empty if the kernel does
// not say.
func BootID() string { return bootID() }

var bootID = sync.OnceValue(func() string {
	b, err := ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
})

// IsMemfd tells whether the program that pid runs is a file without a name:
// the interpreter, which has not yet executed the user's program.
func IsMemfd(pid int) bool {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return err == nil && (strings.HasPrefix(exe, "/memfd:") || strings.HasSuffix(exe, " (deleted)"))
}
