package sys

import (
	"errors"

	"golang.org/x/sys/unix"
)

// maxTries is how often a path is looked for, as by the child (path.c).
const maxTries = 2000

// again reports whether a look-up that has been tried so often is to be tried
// once more: a signal has come, or a rename or a mount elsewhere has made the
// kernel unsure of a "..". Who renames all the time must not hold us up for ever.
func again(err error, tries int) bool {
	return (errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR)) && tries < maxTries
}

// Openat2 is openat2(2), tried again as long as that may help. The error is the
// bare errno.
func Openat2(at int, path string, how *unix.OpenHow) (int, error) {
	for tries := 1; ; tries++ {
		fd, err := unix.Openat2(at, path, how)
		if !again(err, tries) {
			return fd, err
		}
	}
}
