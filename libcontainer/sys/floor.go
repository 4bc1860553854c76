// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// floor is the oldest Linux that has each system call which skiff cannot do without:
// see docs/KERNELS.md. Nothing compares it before a call has failed, for a kernel may
// have calls of newer ones.
var floor = version{5, 14}

// version is a version of Linux.
type version struct{ major, minor int }

// tooOld says what is needed, and what there is, if the release of the kernel, as
// uname(2) has it, is older than the floor. Otherwise, or if the release is not a
// version, it returns no words.
func tooOld(release string) string {
	var v version
	if n, _ := fmt.Sscanf(release, "%d.%d", &v.major, &v.minor); n != 2 {
		return ""
	}
	if v.major > floor.major || v.major == floor.major && v.minor >= floor.minor {
		return ""
	}
	return fmt.Sprintf("Linux %d.%d or newer is required, this is Linux %s", floor.major, floor.minor, release)
}

// release returns the release of the kernel, such as 6.1.0-50-amd64.
func release() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
