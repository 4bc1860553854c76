// SPDX-License-Identifier: Apache-2.0

// Package netns makes a network namespace on a thread of its own, while the caller does
// something else. To make one takes the kernel longer than all other namespaces together
// and longer than most of what the child does; to join one takes it next to nothing.
//
// The thread is not one of the Go runtime's: it only makes a few system calls, has no
// stack and gets no signals. A thread of the runtime cannot leave its namespace again and
// would have to end, and the runtime would first start another one that makes threads
// from then on ([runtime.LockOSThread]).
package netns

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/sys/proc"
	"golang.org/x/sys/unix"
)

// Namespace is a network namespace that is being made.
type Namespace struct{ work *work }

// work is what the thread does, and how far it has come. The assembly knows its layout.
type work struct {
	tid   uint32 // of the thread; the kernel sets it to 0 when the thread has ended
	all   uint64 // a signal mask with all signals
	mask  uint64 // the caller's signal mask
	steps [stepEnd + 1]step
}

// step is a system call. The thread ends after the first one that fails, and at the one
// with the number 0.
type step struct {
	call   uintptr
	of     uintptr // not 0: the first argument is the result of the step before
	args   [3]uintptr
	result uintptr
}

// The steps.
const (
	stepUnshare = iota
	stepOpen
	stepSetns // proves that the child may do it: a seccomp filter around us may forbid it
	stepSocket
	stepUp
	stepEnd
)

// names are the system calls of the steps, for errors.
var names = [stepEnd]string{"unshare", "open " + ownPath, "setns", "socket", "bring up lo"}

const (
	ownPath = "/proc/thread-self/ns/net"
	asC     = ownPath + "\x00"
	notRun  = ^uintptr(0)
)

// up is not moved, unlike what is on a goroutine's stack.
var up = ifreq{name: [unix.IFNAMSIZ]byte{'l', 'o'}, flags: unix.IFF_UP | unix.IFF_LOOPBACK}

// ifreq is the kernel's struct ifreq, with flags.
type ifreq struct {
	name  [unix.IFNAMSIZ]byte
	flags uint16
	_     [22]byte
}

// begin starts the thread, and returns its number or a negative error number.
func begin(w *work) int

// Worthwhile reports whether another thread is likely to find an idle CPU. If not, it
// takes as long as the child would, and costs a few percent more: the CPU's caches do not
// have what the kernel needs.
func Worthwhile() bool {
	if runtime.NumCPU() == 1 {
		return false
	}
	text, err := sys.ReadText("/proc/self/schedstat")
	return err == nil && idle(text)
}

// idle reports whether the thread with the given /proc/PID/schedstat, which is the first
// one of its process, has hardly had to wait for a CPU so far: no more than a sixteenth of
// the time that it has run. With a CPU to spare it waits about a hundredth or less; as one
// of fifty that are started at once on two CPUs, longer than it runs.
func idle(schedstat string) bool {
	ran, waited, ok := proc.SchedStat(schedstat)
	return ok && waited <= ran/16
}

// Begin begins to make a network namespace whose interface lo is up. What fails is
// reported by [Namespace.Open].
func Begin() *Namespace {
	n := prepare()
	n.start()
	return n
}

// prepare lays down the steps.
func prepare() *Namespace {
	w := &work{all: ^uint64(0)}
	w.steps = [...]step{
		stepUnshare: {call: unix.SYS_UNSHARE, args: [3]uintptr{unix.CLONE_NEWNET}},
		stepOpen:    {call: unix.SYS_OPENAT, args: [3]uintptr{^uintptr(0) - 99, uintptr(unsafe.Pointer(unsafe.StringData(asC))), unix.O_RDONLY | unix.O_CLOEXEC}},
		stepSetns:   {call: unix.SYS_SETNS, of: 1, args: [3]uintptr{0, unix.CLONE_NEWNET}},
		stepSocket:  {call: unix.SYS_SOCKET, args: [3]uintptr{unix.AF_INET, unix.SOCK_DGRAM | unix.SOCK_CLOEXEC}},
		stepUp:      {call: unix.SYS_IOCTL, of: 1, args: [3]uintptr{0, unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&up))}},
		stepEnd:     {},
	}
	for i := range w.steps {
		w.steps[i].result = notRun
	}
	return &Namespace{w}
}

func (n *Namespace) start() {
	if tid := begin(n.work); tid < 0 {
		n.work.steps[0].result = uintptr(tid)
	}
}

// errNone is the error for a namespace that was handed out before.
var errNone = errors.New("there is no network namespace that was made ahead")

// Open waits until the namespace is made, and returns its file, once.
func (n *Namespace) Open() (*os.File, error) {
	w := n.work
	if w == nil {
		return nil, errNone
	}
	n.work = nil
	w.wait()
	fd, socket := w.steps[stepOpen].result, w.steps[stepSocket].result
	if int(socket) >= 0 {
		unix.Close(int(socket))
	}
	err := w.failure()
	if int(fd) < 0 {
		return nil, err
	}
	if err != nil {
		unix.Close(int(fd))
		return nil, err
	}
	return os.NewFile(fd, "network namespace"), nil
}

// wait waits for the end of the thread.
func (w *work) wait() {
	const futexWait = 0
	for {
		tid := atomic.LoadUint32(&w.tid)
		if tid == 0 {
			return
		}
		_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&w.tid)), futexWait, uintptr(tid), 0, 0, 0)
	}
}

// failure returns the error of the step that failed, or of the thread that did not start.
func (w *work) failure() error {
	for i, name := range names {
		if r := int(w.steps[i].result); r < 0 {
			return fmt.Errorf("%s: %w", name, unix.Errno(-r))
		}
	}
	return nil
}

// Close gives up a namespace that was not handed out.
func (n *Namespace) Close() {
	if n == nil {
		return
	}
	if f, err := n.Open(); err == nil {
		f.Close()
	}
}
