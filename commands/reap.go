// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// reapOrphans reaps children that have ended, until none is left or the next one is
// spare, whose exit status is for [libcontainer.Process.Wait].
func reapOrphans(spare int) {
	for {
		pid := endedChild()
		if pid == 0 || pid == spare {
			return
		}
		if _, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); err != nil {
			return
		}
	}
}

// endedChild returns the pid of a child that has ended, or 0 if there is none. It does
// not reap it.
func endedChild() int {
	// siginfo_t as waitid(2) fills it; its union is aligned like a pointer.
	var info struct {
		signo, errno, code int32
		_                  [0]uintptr
		pid                int32
		_                  [112]byte
	}
	err := unix.Waitid(unix.P_ALL, 0, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	if err != nil {
		return 0
	}
	return int(info.pid)
}
