// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package main

// legacyCalls has the system calls that this architecture lacks. A rule for one is taken,
// as in a seccomp profile, and never applies.
var legacyCalls = []call{
	{"mkdir", lacking}, {"open", lacking}, {"mknod", lacking}, {"unlink", lacking}, {"rmdir", lacking}, {"chmod", lacking}, {"chown", lacking},
}
