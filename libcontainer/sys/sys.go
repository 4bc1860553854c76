// SPDX-License-Identifier: Apache-2.0

// Package sys wraps the system calls that the runtime makes, with errors that say
// which call failed on which object.
//
// Other packages make system calls through it. The exceptions, with their reasons, are
// in tests/arch/syscalls_test.go; the constants of x/sys/unix may be used everywhere.
package sys

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"golang.org/x/sys/unix"
)

// Error is a system call that failed.
type Error struct {
	Call   string // "open_tree"
	Object string // the path, id or name it was about
	Errno  error
}

func (e *Error) Error() string {
	if e.Object == "" {
		return e.Call + ": " + e.Errno.Error()
	}
	return e.Call + " " + e.Object + ": " + e.Errno.Error()
}

// FaultPath is the object, if it is a path.
func (e *Error) FaultPath() string { return e.Object }

// Unwrap lets errors.Is see the errno.
func (e *Error) Unwrap() error { return e.Errno }

func wrap(call, object string, err error) error {
	if err == nil {
		return nil
	}
	return Explain(call, &Error{call, object, err})
}

func retry(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// OpenTree clones the mount at path as a detached mount; flags may have
// AT_RECURSIVE and AT_SYMLINK_NOFOLLOW (open_tree(2), Linux 5.2).
func OpenTree(path string, flags uint) (*os.File, error) {
	flags |= unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, flags)
	if err != nil {
		return nil, wrap("open_tree", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// MountSetattr changes the attributes of the mount f, or of its whole tree
// (mount_setattr(2), Linux 5.12).
func MountSetattr(f *os.File, recursive bool, attr unix.MountAttr) error {
	flags := uint(unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	return wrap("mount_setattr", f.Name(), unix.MountSetattr(int(f.Fd()), "", flags, &attr))
}

// OpenPath opens path with O_PATH and the given extra flags.
func OpenPath(path string, flags int) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return nil, wrap("open", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Findable reports whether path can be opened, and leads to the same file for every
// process: there is no magic link of a procfs on the way (/proc/self/fd/3, /dev/fd/3).
// A symlink at path itself is followed if follow is set.
func Findable(path string, follow bool) bool {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS}
	if !follow {
		how.Flags |= unix.O_NOFOLLOW
	}
	fd, err := Openat2(unix.AT_FDCWD, path, &how)
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}

// OpenNamespace opens the namespace at path (/proc/PID/ns/net, or a bind mount of such a
// file), to join it.
func OpenNamespace(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, wrap("open", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Dup returns another descriptor of f.
func Dup(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, wrap("dup", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// IsFile reports whether path leads to the same file as f.
func IsFile(f *os.File, path string) (bool, error) {
	var a, b unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &a); err != nil {
		return false, wrap("fstat", f.Name(), err)
	}
	if err := unix.Stat(path, &b); err != nil {
		return false, wrap("stat", path, err)
	}
	return a.Dev == b.Dev && a.Ino == b.Ino, nil
}

// OpenIn opens path inside the directory root, as if root were "/". It refuses magic
// links (openat2(2), Linux 5.6).
func OpenIn(root *os.File, path string, flags uint64) (*os.File, error) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := Openat2(int(root.Fd()), path, &how)
	if err != nil {
		return nil, wrap("openat2", root.Name()+path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// CloneNode clones the mount of a device node of the host, with the node as its root,
// and checks that it is the expected device: kind is S_IFCHR or S_IFBLK, dev its number.
func CloneNode(path string, kind uint32, dev uint64) (*os.File, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return nil, wrap("open_tree", path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != kind || st.Rdev != dev {
		unix.Close(fd)
		return nil, fmt.Errorf("%s on the host must be the device %d:%d", path, unix.Major(dev), unix.Minor(dev))
	}
	return os.NewFile(uintptr(fd), path), nil
}

// SocketPair returns a connected pair of AF_UNIX SEQPACKET sockets.
func SocketPair() (a, b int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, -1, wrap("socketpair", "", err)
	}
	return fds[0], fds[1], nil
}

// Pidfd opens a descriptor of the process pid.
func Pidfd(pid int) (*os.File, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, wrap("pidfd_open", fmt.Sprint(pid), err)
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// PidfdSignal sends sig to the process behind a pidfd.
func PidfdSignal(pidfd *os.File, sig unix.Signal) error {
	return wrap("pidfd_send_signal", unix.SignalName(sig), unix.PidfdSendSignal(int(pidfd.Fd()), sig, nil, 0))
}

// PidfdStatus returns the exit status, in the shell's form, of a process that ended while
// the pidfd was open, child or not. It waits up to timeout for the parent to reap the
// process. Before Linux 6.15 the status is unknown (PIDFD_INFO_EXIT).
func PidfdStatus(pidfd *os.File, timeout time.Duration) (int, bool) {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	if unix.IoctlPidfdInfo(int(pidfd.Fd()), &info) == unix.ENOTTY {
		return 0, false // nothing to wait for
	}
	hup := []unix.PollFd{{Fd: int32(pidfd.Fd())}} // POLLHUP: it was reaped
	_ = retry(func() error { _, err := unix.Poll(hup, int(timeout.Milliseconds())); return err })
	info = unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	if unix.IoctlPidfdInfo(int(pidfd.Fd()), &info) != nil || info.Mask&unix.PIDFD_INFO_EXIT == 0 {
		return 0, false
	}
	ws := unix.WaitStatus(info.Exit_code)
	if ws.Signaled() {
		return 128 + int(ws.Signal()), true
	}
	return ws.ExitStatus(), true
}

// WaitReadable waits until fd is readable (a pidfd is when its process has exited), for
// at most timeout milliseconds; -1 is no timeout.
func WaitReadable(fd, timeout int) (bool, error) {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n := 0
	err := retry(func() (err error) { n, err = unix.Poll(p, timeout); return err })
	return n > 0, wrap("poll", "", err)
}

// WaitEither waits until one of two descriptors can be read, or has been hung up.
func WaitEither(a, b int) error {
	p := []unix.PollFd{{Fd: int32(a), Events: unix.POLLIN}, {Fd: int32(b), Events: unix.POLLIN}}
	return wrap("poll", "", retry(func() error { _, err := unix.Poll(p, -1); return err }))
}

// Wait reaps the child pid and returns its exit status in the shell's form:
// the exit code, or 128 and the number of the signal that ended it.
func Wait(pid int) (int, error) {
	var ws unix.WaitStatus
	err := retry(func() error { _, err := unix.Wait4(pid, &ws, 0, nil); return err })
	if err != nil {
		return -1, wrap("wait4", fmt.Sprint(pid), err)
	}
	if ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return ws.ExitStatus(), nil
}

const cldExited = 1 // CLD_EXITED of sigaction(2)

// WaitPeek waits for the end of the child pid, leaves it to be reaped, and
// returns its exit status in the shell's form.
func WaitPeek(pid int) (int, error) {
	// siginfo_t as waitid(2) fills it; its union is aligned like a pointer.
	var info struct {
		signo, errno, code int32
		_                  [0]uintptr
		pid                int32
		uid                uint32
		status             int32
		_                  [104]byte
	}
	err := retry(func() error {
		return unix.Waitid(unix.P_PID, pid, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOWAIT, nil)
	})
	if err != nil {
		return -1, wrap("waitid", fmt.Sprint(pid), err)
	}
	if info.code == cldExited {
		return int(info.status), nil
	}
	return 128 + int(info.status), nil
}

// Prlimit sets a resource limit of the process pid.
func Prlimit(pid, resource int, soft, hard uint64) error {
	lim := unix.Rlimit{Cur: soft, Max: hard}
	_, _, e := unix.RawSyscall6(unix.SYS_PRLIMIT64, uintptr(pid), uintptr(resource), uintptr(unsafe.Pointer(&lim)), 0, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// Getrlimit returns this process's limits of a resource.
func Getrlimit(resource int) (soft, hard uint64, err error) {
	var lim unix.Rlimit
	err = wrap("getrlimit", "", unix.Prlimit(0, resource, nil, &lim))
	return lim.Cur, lim.Max, err
}

// SendFD sends fd over the AF_UNIX socket at path, with name as the message. That is
// runc's protocol for consoles and pidfds.
func SendFD(path, name string, fd int) error {
	s, err := ConnectUnix(path, unix.SOCK_STREAM)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	return wrap("sendmsg", path, unread(retry(func() error {
		return unix.Sendmsg(s, []byte(name), unix.UnixRights(fd), nil, unix.MSG_NOSIGNAL)
	})))
}

// SendAll sends b on a stream socket, and fd with the first byte of it. It fails if the
// other end does not read within the socket's send timeout, [peerWait].
func SendAll(socket int, b []byte, fd int) error {
	rights := unix.UnixRights(fd)
	for len(b) > 0 {
		n := 0
		err := retry(func() (err error) { n, err = unix.SendmsgN(socket, b, rights, nil, unix.MSG_NOSIGNAL); return err })
		if err != nil {
			return wrap("sendmsg", "", unread(err))
		}
		b, rights = b[n:], nil
	}
	return nil
}

// peerWait is how long the other end of a socket may take to accept us or to
// read.
const peerWait = 10 * time.Second

// unread explains the error of that timeout.
func unread(err error) error {
	if errors.Is(err, unix.EAGAIN) {
		return fault.Hint(err, "no process is reading from the other end")
	}
	return err
}

// limitSends sets the timeout of connect and of each send on a socket (SO_SNDTIMEO).
func limitSends(s int, d time.Duration) error {
	tv := unix.NsecToTimeval(d.Nanoseconds())
	return unix.SetsockoptTimeval(s, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv)
}

// ConnectUnix connects to the AF_UNIX socket at path. If path is too long for a socket
// address (108 bytes), the socket is reached through a descriptor. A path that begins
// with @ is an abstract name.
func ConnectUnix(path string, kind int) (int, error) {
	s, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, wrap("socket", path, err)
	}
	if err := limitSends(s, peerWait); err != nil {
		unix.Close(s)
		return -1, wrap("setsockopt", path, err)
	}
	if err := connect(s, path); err != nil {
		unix.Close(s)
		return -1, err
	}
	return s, nil
}

func connect(s int, path string) error {
	addr := path
	if len(path) > 100 && path[0] != '@' {
		f, err := OpenPath(path, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		addr = fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	}
	err := retry(func() error { return unix.Connect(s, &unix.SockaddrUnix{Name: addr}) })
	return wrap("connect", path, unread(err))
}

// Asker asks whether processes have sockets open. The zero Asker is ready for use. It
// keeps one socket for all questions, and is not for several goroutines at once.
type Asker struct {
	socket int // the number + 1; 0: there is none yet
}

// Asked reports whether there has been a question.
func (a *Asker) Asked() bool { return a.socket != 0 }

// Listened reports whether a process has the AF_UNIX socket at path open, which is not a
// datagram socket: one that is cannot connect to it, and the error says whether anybody
// has it open. Such a connection never waits.
func (a *Asker) Listened(path string) bool {
	if a.socket == 0 {
		s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return false
		}
		a.socket = s + 1
	}
	return errors.Is(connect(a.socket-1, path), unix.EPROTOTYPE)
}

// Close closes the socket.
func (a *Asker) Close() {
	if a.socket != 0 {
		unix.Close(a.socket - 1)
		a.socket = 0
	}
}

// Subreaper makes this process the new parent of orphans among its descendants
// (prctl(2), PR_SET_CHILD_SUBREAPER).
func Subreaper() error {
	return wrap("prctl", "PR_SET_CHILD_SUBREAPER", unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
}

// MountID returns the id of the mount that path is on (statx(2), STATX_MNT_ID).
func MountID(path string) (uint64, error) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MNT_ID, &st)
	return st.Mnt_id, wrap("statx", path, err)
}

// Detach detaches the mount on path and all mounts below it; the kernel unmounts them
// once nothing uses them (umount2(2), MNT_DETACH).
func Detach(path string) error {
	return wrap("umount", path, unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW))
}

// Setns moves the calling thread into the namespace f of the type flag
// (setns(2)).
func Setns(f *os.File, flag int) error {
	return wrap("setns", f.Name(), unix.Setns(int(f.Fd()), flag))
}

// LastingMountID returns an id of the mount that f is on which no other mount gets until
// the next boot (statx(2), STATX_MNT_ID_UNIQUE, Linux 6.8). On older kernels it returns
// what [MountIDOf] does.
func LastingMountID(f *os.File) (uint64, error) {
	const unique = 0x4000
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unique, &st)
	if err == nil && st.Mask&unique != 0 {
		return st.Mnt_id, nil
	}
	return MountIDOf(f)
}

// MountIDOf returns the id of the mount that f is on (statx(2), STATX_MNT_ID).
func MountIDOf(f *os.File) (uint64, error) {
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st)
	return st.Mnt_id, wrap("statx", f.Name(), err)
}
