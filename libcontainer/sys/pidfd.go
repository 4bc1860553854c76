package sys

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// What is known of a process by its pidfd is known whatever /proc shows: one
// that hides the processes of others (hidepid), has less than all (subset), or is
// that of an outer pid namespace, where the process has another number.

// Gone reports whether no process has the number pid.
func Gone(pid int) bool { return unix.Kill(pid, 0) == unix.ESRCH }

// PidfdInode is the inode number of a pidfd, which no other process has as long
// as the machine runs; 0 if the kernel has no such numbers (pidfs, Linux 6.9).
func PidfdInode(pidfd *os.File) uint64 {
	const pidfs = 0x50494446 // PID_FS_MAGIC of linux/magic.h
	var fs unix.Statfs_t
	var st unix.Stat_t
	fd := int(pidfd.Fd())
	if unix.Fstatfs(fd, &fs) != nil || fs.Type != pidfs || unix.Fstat(fd, &st) != nil {
		return 0
	}
	return st.Ino
}

// PidfdEnded reports whether the process has ended, with all of its threads
// (pidfd_open(2)).
func PidfdEnded(pidfd *os.File) (ended bool, err error) {
	poll := []unix.PollFd{{Fd: int32(pidfd.Fd()), Events: unix.POLLIN}}
	err = retry(func() error { _, err := unix.Poll(poll, 0); return err })
	return poll[0].Revents != 0, wrap("poll", "pidfd", err)
}

// PidfdNumbers are the numbers of the process, as /proc has them: the first is
// that in the pid namespace of /proc, the last that in its own. None: it cannot
// be seen from there, or has ended.
func PidfdNumbers(pidfd *os.File) ([]int, error) {
	path := fmt.Sprintf("/proc/self/fdinfo/%d", pidfd.Fd())
	b, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	return pidNumbers(string(b)), nil
}

// pidNumbers reads the line NSpid of a pidfd's fdinfo. A kernel without pid
// namespaces has the line Pid alone.
func pidNumbers(fdinfo string) (numbers []int) {
	text, ok := proc.Value(fdinfo, proc.Colon, "NSpid")
	if !ok {
		text, _ = proc.Value(fdinfo, proc.Colon, "Pid")
	}
	for word := range strings.FieldsSeq(text) {
		n, err := strconv.Atoi(word)
		if err != nil || n <= 0 {
			return nil
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// ownProc reports whether /proc is that of our pid namespace.
var ownProc = sync.OnceValue(func() bool {
	text, err := os.Readlink("/proc/self")
	return err == nil && text == strconv.Itoa(os.Getpid())
})

// InProc is the number that /proc has for the process pid of our pid namespace;
// 0 if it has none.
func InProc(pid int) int {
	if ownProc() {
		return pid
	}
	pidfd, err := Pidfd(pid)
	if err != nil {
		return 0
	}
	defer pidfd.Close()
	return PidfdInProc(pidfd)
}

// PidfdInProc is [InProc] of the process behind a pidfd, whatever its number.
func PidfdInProc(pidfd *os.File) int {
	numbers, err := PidfdNumbers(pidfd)
	if err != nil || len(numbers) == 0 {
		return 0
	}
	return numbers[0]
}

// ProcPath is the path of a file of the process pid of our pid namespace in
// /proc. If /proc cannot have it, it is one of process 0, which there never is.
func ProcPath(pid int, file string) string {
	return "/proc/" + strconv.Itoa(InProc(pid)) + "/" + file
}

// IsNamespaceInit reports whether the process is the first of a pid namespace
// below that of /proc.
func IsNamespaceInit(pid int) bool {
	pidfd, err := Pidfd(pid)
	if err != nil {
		return false
	}
	defer pidfd.Close()
	numbers, err := PidfdNumbers(pidfd)
	return err == nil && len(numbers) > 1 && numbers[len(numbers)-1] == 1
}

// ProcFault says what is wrong with /proc as a whole, and what to do; empty if
// nothing is.
func ProcFault() string {
	var fs unix.Statfs_t
	err := unix.Statfs("/proc", &fs)
	if err == nil && fs.Type == unix.PROC_SUPER_MAGIC {
		return ""
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Sprintf("/proc: %v", err)
	}
	return "/proc is not a proc file system, and skiff needs one there: mount -t proc proc /proc"
}
