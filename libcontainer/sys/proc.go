// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// ReadStat reads the state of the process that has the number pid in /proc. It returns
// nil without an error if there is no such process, or /proc hides it.
func ReadStat(pid int) (*proc.Stat, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/stat"
	var line [maxStat]byte
	b, err := readLine(path, line[:])
	if unseen(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := proc.ParseStat(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &s, nil
}

// maxStat is more than the fields that [proc.Stat] has can take, in bytes: a name of 64
// and 21 numbers of 20.
const maxStat = 640

// readLine reads the beginning of a file of one line into b.
func readLine(path string, b []byte) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, wrap("open", path, err)
	}
	defer unix.Close(fd)
	b, err = ReadHead(fd, b)
	return b, wrap("read", path, err)
}

// ReadMounts reads the mount table of a process: process is its number in /proc, or
// "self".
func ReadMounts(process string) (string, error) {
	return ReadText("/proc/" + process + "/mountinfo")
}

// MountByID finds the mount with that id in the table of this process.
func MountByID(id uint64) (proc.Mount, error) {
	table, err := ReadMounts("self")
	if err != nil {
		return proc.Mount{}, err
	}
	m, ok := proc.MountByID(table, id)
	if !ok {
		return m, fmt.Errorf("/proc/self/mountinfo does not list mount %d", id)
	}
	return m, nil
}

// InUserNamespace reports whether this process is in a user namespace other than the
// host's, whose inode number is fixed (linux/nsfs.h, USER_NS_INIT_INO).
func InUserNamespace() bool {
	return inUserNamespace.get(func() bool {
		var st unix.Stat_t
		return unix.Stat("/proc/self/ns/user", &st) == nil && st.Ino != 0xEFFFFFFD
	})
}

var inUserNamespace once[bool]

// BootID returns an id that differs for each boot of the machine; empty if it cannot be
// read.
func BootID() string {
	return bootID.get(func() string {
		b, err := ReadFile("/proc/sys/kernel/random/boot_id")
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(b))
	})
}

var bootID once[string]

// unseen reports whether err is what /proc returns for a process that has ended, or that
// it hides (proc(5), hidepid).
func unseen(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)
}

// ThreadGroup returns the process that a thread belongs to; 0 if the thread has ended, or
// is not visible in this pid namespace.
func ThreadGroup(tid int) (int, error) {
	if pid, ok := threadGroup(tid); ok {
		return pid, nil
	}
	path := fmt.Sprintf("/proc/%d/status", tid)
	b, err := ReadFile(path)
	if unseen(err) {
		if Gone(tid) {
			return 0, nil
		}
		return 0, fault.Hint(fmt.Errorf("cannot find the process of thread %d: %w", tid, err),
			"before Linux 6.13, /proc must show all processes: is it mounted with hidepid or subset?")
	}
	if err != nil {
		return 0, err
	}
	id, ok := proc.Value(string(b), proc.Colon, "Tgid")
	if !ok {
		return 0, fmt.Errorf("%s has no line Tgid", path)
	}
	return strconv.Atoi(id)
}

// threadGroup asks the kernel without using /proc (PIDFD_GET_INFO, Linux 6.13).
func threadGroup(tid int) (pid int, ok bool) {
	const thread = unix.O_EXCL // PIDFD_THREAD
	fd, err := unix.PidfdOpen(tid, thread)
	if err == unix.ESRCH {
		return 0, true
	}
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	var info unix.PidfdInfo
	err = unix.IoctlPidfdInfo(fd, &info)
	if err == unix.ESRCH {
		return 0, true
	}
	return int(info.Tgid), err == nil
}

// PidsOfNamespace lists the processes in the pid namespace of pid, and pid itself. It
// lists only pid if /proc is that of another pid namespace, and leaves out processes whose
// namespace the caller may not see.
func PidsOfNamespace(pid int) ([]int, error) {
	if !ownProc() {
		return []int{pid}, nil
	}
	ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		return []int{pid}, nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	pids := []int{pid}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil || n == pid {
			continue
		}
		if other, err := os.Readlink("/proc/" + e.Name() + "/ns/pid"); err == nil && other == ns {
			pids = append(pids, n)
		}
	}
	return pids, nil
}

// Comm returns the name of a process (proc_pid_comm(5)); empty if it cannot be read.
func Comm(pid int) string {
	b, err := ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(b), "\n")
}

// CommandLine returns the beginning of a process's command line, for a message; the name
// of the process if it has none.
func CommandLine(pid int) string {
	b, err := ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if line := commandLine(b); err == nil && line != "" {
		return line
	}
	return Comm(pid)
}

// maxCommandLine bounds what CommandLine returns, in bytes.
const maxCommandLine = 120

// commandLine makes one printable line of /proc/PID/cmdline, which may contain anything:
// the program without its directory, then the arguments.
func commandLine(b []byte) string {
	first, _, _ := bytes.Cut(b, []byte{0})
	b = b[bytes.LastIndexByte(first, '/')+1:]
	line := strings.Map(func(r rune) rune {
		switch {
		case r == 0:
			return ' '
		case !strconv.IsPrint(r):
			return '?'
		}
		return r
	}, strings.TrimRight(string(b), "\x00"))
	if len(line) > maxCommandLine {
		line = strings.ToValidUTF8(line[:maxCommandLine], "") + " ..."
	}
	return line
}

// KillGroups kills the process groups whose leaders are children of the process parent,
// except for leaders with one of the names in spared.
func KillGroups(parent int, spared ...string) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !leads(pid, parent) || slices.Contains(spared, Comm(pid)) {
			continue
		}
		if err := killGroup(pid, parent); err != nil {
			return err
		}
	}
	return nil
}

// leads reports whether pid is a child of parent and the leader of a process group.
func leads(pid, parent int) bool {
	st, err := ReadStat(pid)
	return err == nil && st != nil && st.Parent == parent && st.Group == pid
}

// killGroup kills the group through the pidfd of its leader, which it checks again once
// the pidfd is open.
func killGroup(pid, parent int) error {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return nil
	}
	if err != nil {
		return wrap("pidfd_open", fmt.Sprint(pid), err)
	}
	defer unix.Close(pidfd)
	if !leads(pid, parent) {
		return nil
	}
	const group = 4 // PIDFD_SIGNAL_PROCESS_GROUP
	err = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, group)
	if err == unix.EINVAL { // before Linux 6.9
		err = unix.Kill(-pid, unix.SIGKILL)
	}
	if err == unix.ESRCH {
		return nil
	}
	return wrap("kill", fmt.Sprintf("process group %d", pid), err)
}
