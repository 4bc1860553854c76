// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"bytes"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SchedSetattr sets the scheduling of the process pid; attr is a struct
// sched_attr (sched_setattr(2)).
func SchedSetattr(pid int, attr []byte) error {
	_, _, e := unix.RawSyscall(unix.SYS_SCHED_SETATTR, uintptr(pid), uintptr(unsafe.Pointer(&attr[0])), 0)
	return errno(e)
}

// SetIOPriority sets the I/O priority of the process pid, in the form of
// ioprio_set(2): class<<13 | level.
func SetIOPriority(pid int, value uint32) error {
	const whoProcess = 1
	_, _, e := unix.RawSyscall(unix.SYS_IOPRIO_SET, whoProcess, uintptr(pid), uintptr(value))
	return errno(e)
}

// SchedSetaffinity sets the CPUs of the thread tid, 0 for this one. The mask
// may be longer than [unix.CPUSet].
func SchedSetaffinity(tid int, mask []byte) error {
	_, _, e := unix.RawSyscall(unix.SYS_SCHED_SETAFFINITY, uintptr(tid), uintptr(len(mask)), uintptr(unsafe.Pointer(&mask[0])))
	return errno(e)
}

// SchedGetaffinity returns the CPUs of the thread tid, 0 for this one.
func SchedGetaffinity(tid int) ([]byte, error) {
	mask := make([]byte, 1<<13)
	n, _, e := unix.RawSyscall(unix.SYS_SCHED_GETAFFINITY, uintptr(tid), uintptr(len(mask)), uintptr(unsafe.Pointer(&mask[0])))
	if e != 0 {
		return nil, wrap("sched_getaffinity", "", e)
	}
	return mask[:n], nil
}

// AllCPUs returns a mask of all CPUs that a kernel can have. The kernel reduces it to
// those that exist and that the cgroup's cpuset allows.
func AllCPUs() []byte { return bytes.Repeat([]byte{0xff}, 1<<10) }

// Confined reports whether the caller has confined skiff to some of the CPUs, as
// taskset(1) and systemd's CPUAffinity= do. It compares with the number of CPUs that the
// Go runtime has counted for this process: if these are all, the machine has no CPU with
// the next number.
func Confined() bool {
	return unix.Access("/sys/devices/system/cpu/cpu"+strconv.Itoa(runtime.NumCPU()), unix.F_OK) == nil
}

// errno returns e as an error, and nil for 0.
func errno(e unix.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}
