package sys

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// ReadStat reads the state of the process that has the number pid in /proc; nil
// without an error if there is no such process, or none that /proc shows.
func ReadStat(pid int) (*proc.Stat, error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	b, err := ReadFile(path)
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

// ReadMounts reads the mount table of a process: its number in /proc, or "self".
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
		return m, fmt.Errorf("/proc/self/mountinfo: mount %d is not there", id)
	}
	return m, nil
}

// InUserNamespace tells that this process is in a user namespace other than
// the host's, whose inode number is fixed (linux/nsfs.h, USER_NS_INIT_INO).
func InUserNamespace() bool { return inUserNamespace() }

var inUserNamespace = sync.OnceValue(func() bool {
	var st unix.Stat_t
	return unix.Stat("/proc/self/ns/user", &st) == nil && st.Ino != 0xEFFFFFFD
})

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

// unseen reports whether err is what /proc says of a process that has ended, or
// that it hides (proc(5), hidepid).
func unseen(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)
}

// ThreadGroup is the process that a thread belongs to; 0 if the thread has
// ended, or cannot be seen from this pid namespace.
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
		return 0, fmt.Errorf("which process has the thread %d: %w (before Linux 6.13 /proc has to show it: is it mounted with hidepid or subset?)", tid, err)
	}
	if err != nil {
		return 0, err
	}
	id, ok := proc.Value(string(b), proc.Colon, "Tgid")
	if !ok {
		return 0, fmt.Errorf("%s: no line Tgid", path)
	}
	return strconv.Atoi(id)
}

// threadGroup asks the kernel without /proc (PIDFD_GET_INFO, Linux 6.13).
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

// PidsOfNamespace lists the processes that are in the pid namespace of pid,
// and pid itself, as far as the caller may see, and /proc has the numbers that
// they have here.
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

// Comm is the name of a process (proc_pid_comm(5)); empty if there is none.
func Comm(pid int) string {
	b, err := ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(b), "\n")
}

// CommandLine is how a process was called, for a message: no more than begins
// it; the name alone if there is no more.
func CommandLine(pid int) string {
	b, err := ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if line := commandLine(b); err == nil && line != "" {
		return line
	}
	return Comm(pid)
}

// maxCommandLine bounds what CommandLine returns, in bytes.
const maxCommandLine = 120

// commandLine makes one line of /proc/PID/cmdline, which may hold anything: the
// program without its directory, then the arguments.
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

// KillGroups kills the process groups that children of the process parent lead,
// but for those named one of spared.
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

// leads reports whether pid is a child of parent, and leads a process group.
func leads(pid, parent int) bool {
	st, err := ReadStat(pid)
	return err == nil && st != nil && st.Parent == parent && st.Group == pid
}

// killGroup kills the group by the pidfd of its leader, which is looked at again
// when the pidfd holds it.
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
