// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// firstPassed is the first descriptor that --preserve-fds and LISTEN_FDS count.
const firstPassed = 3

// inherited returns the descriptors to pass on, sorted: of the preserve+listen
// descriptors from 3 on, those that the caller has opened. The others are skipped, since
// engines count up to the highest one that they want to pass.
func inherited(preserve, listen int) ([]int, error) {
	if preserve < 0 {
		return nil, misuse("--preserve-fds %d: must not be negative", preserve)
	}
	if preserve+listen == 0 {
		return nil, nil
	}
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, fmt.Errorf("--preserve-fds: %w", err)
	}
	var fds []int
	for _, name := range names {
		fd, err := strconv.Atoi(name.Name())
		if err == nil && fd >= firstPassed && fd-firstPassed-listen < preserve && fromCaller(fd) {
			fds = append(fds, fd)
		}
	}
	slices.Sort(fds)
	return fds, nil
}

// fromCaller reports whether the caller has opened a descriptor. What skiff and the Go
// runtime open, some of it before main, is close-on-exec; what came through the exec of
// skiff is not.
func fromCaller(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC == 0
}

// listenFDs returns how many sockets were passed by socket activation
// (sd_listen_fds(3)). It is 0 if the variables are meant for another process.
func listenFDs() int {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return 0
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}
