// SPDX-License-Identifier: Apache-2.0

package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// notification is struct seccomp_notif of linux/seccomp.h, and response is struct
// seccomp_notif_resp.
type notification struct {
	ID         uint64
	Pid, Flags uint32
	Data       struct {
		Nr                 int32
		Arch               uint32
		InstructionPointer uint64
		Args               [6]uint64
	}
}

type response struct {
	ID    uint64
	Val   int64
	Error int32
	Flags uint32
}

const (
	notifRecv = 3<<30 | uint(unsafe.Sizeof(notification{}))<<16 | '!'<<8 // _IOWR('!', 0, struct seccomp_notif)
	notifSend = 3<<30 | uint(unsafe.Sizeof(response{}))<<16 | '!'<<8 | 1 // _IOWR('!', 1, struct seccomp_notif_resp)

	flagContinue = 1 // SECCOMP_USER_NOTIF_FLAG_CONTINUE
)

// next waits for a call. It returns nil if there is no process left with the filter.
func next(fd int) (*notification, error) {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(p, -1); err != nil {
		return nil, err
	}
	switch {
	case p[0].Revents&unix.POLLIN != 0:
	case p[0].Revents&unix.POLLHUP != 0:
		return nil, nil
	default:
		return nil, unix.EINTR // the kernel reports POLLERR if a signal interrupts it
	}
	n := new(notification) // the kernel requires it to be zero
	return n, ioctl(fd, notifRecv, unsafe.Pointer(n))
}

// answer lets the call continue, or ends it with a result.
func answer(fd int, call *notification, r rule) error {
	resp := response{ID: call.ID, Error: -int32(r.errno)}
	if !r.fake && r.errno == 0 {
		resp.Flags = flagContinue
	}
	return ioctl(fd, notifSend, unsafe.Pointer(&resp))
}

func ioctl(fd int, req uint, arg unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(req), uintptr(arg))
	if errno != 0 {
		return errno
	}
	return nil
}
