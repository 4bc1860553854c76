// SPDX-License-Identifier: Apache-2.0

//go:build cgo && cparts

// Package compiler converts config.json's linux.seccomp to a classic BPF program. It is
// linked into the helper, never into the runtime, which has no C.
//
// libseccomp generates the program from the rules that this package gives it. The
// package puts before it what libseccomp cannot generate: rules for calls that
// libseccomp does not know (numbers.go), and ENOSYS for system calls that are newer
// than the profile (enosys.go).
package compiler

import (
	"fmt"

	libseccomp "github.com/seccomp/libseccomp-golang"
)

// Version returns the version of libseccomp, such as "2.5.4".
func Version() string {
	major, minor, micro := libseccomp.GetLibraryVersion()
	return fmt.Sprintf("%d.%d.%d", major, minor, micro)
}
