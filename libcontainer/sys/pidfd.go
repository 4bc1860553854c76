// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// What a pidfd tells about a process does not depend on /proc, which may hide the
// processes of others (hidepid), show less than everything (subset), or belong to an
// outer pid namespace, where the process has another number.

// Gone reports whether no process has the number pid.
func Gone(pid int) bool { return unix.Kill(pid, 0) == unix.ESRCH }

// PidfdInode returns the inode number of a pidfd, which no other process gets until the
// next boot; 0 if the kernel has no such numbers (pidfs, Linux 6.9).
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

// PidfdEnded reports whether the process and all of its threads have ended
// (pidfd_open(2)).
func PidfdEnded(pidfd *os.File) (ended bool, err error) { return pollEnded(int(pidfd.Fd())) }

func pollEnded(fd int) (ended bool, err error) {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	err = retry(func() error { _, err := unix.Poll(poll, 0); return err })
	return poll[0].Revents != 0, wrap("poll", "pidfd", err)
}

// LookAt returns the inode number of the pidfd of a process, and whether the process and
// all of its threads have ended. The number means something only where [PidfdInode]
// knows it. It costs a third of a look into /proc.
func LookAt(pid int) (inode uint64, ended bool, err error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, false, wrap("pidfd_open", strconv.Itoa(pid), err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, false, wrap("fstat", "pidfd", err)
	}
	ended, err = pollEnded(fd)
	return st.Ino, ended, err
}

// PidfdNumbers returns the numbers of the process as /proc has them: the first is its
// number in the pid namespace of /proc, the last that in its own. There are none if the
// process is not visible from there, or has ended.
func PidfdNumbers(pidfd *os.File) ([]int, error) {
	path := fmt.Sprintf("/proc/self/fdinfo/%d", pidfd.Fd())
	b, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	return pidNumbers(string(b)), nil
}

// pidNumbers reads the line NSpid of a pidfd's fdinfo. A kernel without pid namespaces
// has only the line Pid.
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

// ownProc reports whether /proc belongs to this process's pid namespace.
func ownProc() bool {
	return procIsOwn.get(func() bool {
		text, err := os.Readlink("/proc/self")
		return err == nil && text == strconv.Itoa(os.Getpid())
	})
}

var procIsOwn once[bool]

// InProc returns the number that /proc has for the process pid of this pid namespace; 0
// if it has none.
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

// ProcPath returns the path in /proc of a file of the process pid of this pid namespace.
// If /proc does not have the process, the path is one of process 0, which never exists.
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

// ProcFault says what is wrong with /proc as a whole and what to do about it; empty if
// nothing is wrong.
func ProcFault() string {
	var fs unix.Statfs_t
	err := unix.Statfs("/proc", &fs)
	if err == nil && fs.Type == unix.PROC_SUPER_MAGIC {
		return ""
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Sprintf("/proc: %v", err)
	}
	return "no proc file system is mounted on /proc, where skiff requires one: mount -t proc proc /proc"
}
