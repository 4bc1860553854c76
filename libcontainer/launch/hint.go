// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// ended says which signal ended the child. SIGKILL is not named, since it may come
// from skiff itself: another skiff process may be deleting the container.
func ended(sig int) string {
	if unix.Signal(sig) == unix.SIGKILL {
		return "killed"
	}
	return "killed by " + killedBy(sig)
}

// killedBy names the signal that ended the child.
func killedBy(sig int) string {
	name := fmt.Sprintf("signal %d", sig)
	if known := unix.SignalName(unix.Signal(sig)); known != "" {
		name = known
	}
	if unix.Signal(sig) == unix.SIGSYS {
		return name + " (a seccomp filter around skiff forbids one of its system calls)"
	}
	return name
}

const raisesHard = "raising a hard limit requires CAP_SYS_RESOURCE"

// limitHint explains why a resource limit could not be set. The kernel returns EPERM
// both for a missing privilege and for too many descriptors (getrlimit(2)).
func limitHint(resource int, hard, nrOpen uint64, errno error) string {
	switch {
	case !errors.Is(errno, unix.EPERM):
		return ""
	case resource == unix.RLIMIT_NOFILE && nrOpen > 0 && hard > nrOpen:
		return fmt.Sprintf("it must not exceed /proc/sys/fs/nr_open, which is %d", nrOpen)
	}
	return raisesHard
}

// nrOpen returns the largest allowed limit on descriptors; 0 if it is not known.
func nrOpen() uint64 {
	b, err := sys.ReadFile("/proc/sys/fs/nr_open")
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	return n
}
