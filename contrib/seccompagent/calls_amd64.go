// SPDX-License-Identifier: Apache-2.0

package main

import "golang.org/x/sys/unix"

// legacyCalls has the system calls that newer architectures lack.
var legacyCalls = []call{
	{"mkdir", unix.SYS_MKDIR}, {"open", unix.SYS_OPEN}, {"mknod", unix.SYS_MKNOD}, {"unlink", unix.SYS_UNLINK}, {"rmdir", unix.SYS_RMDIR},
	{"chmod", unix.SYS_CHMOD}, {"chown", unix.SYS_CHOWN},
}
