// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"

	"golang.org/x/sys/unix"
)

// maxTries is how often a look-up is tried. The child has the same limit (path.c).
const maxTries = 2000

// again reports whether a look-up that has failed with err, and has been tried tries
// times, should be tried again: a signal interrupted it, or the kernel could not resolve a
// ".." safely because of a rename or a mount elsewhere. The number of tries is limited,
// since somebody may rename all the time.
func again(err error, tries int) bool {
	return (errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR)) && tries < maxTries
}

// Openat2 calls openat2(2), and retries as long as that may help. The error is the bare
// errno.
func Openat2(at int, path string, how *unix.OpenHow) (int, error) {
	for tries := 1; ; tries++ {
		fd, err := unix.Openat2(at, path, how)
		if !again(err, tries) {
			return fd, err
		}
	}
}
