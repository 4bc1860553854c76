//go:build cgo && cparts

// Package compiler turns config.json's linux.seccomp into a classic BPF
// program. It is linked into the helper, never into the runtime, which does
// without C.
//
// libseccomp writes the program; this package gives it the rules, and puts in
// front what libseccomp cannot express (ENOSYS for system calls that are newer
// than the profile, see enosys.go).
package compiler

import (
	"fmt"

	libseccomp "github.com/seccomp/libseccomp-golang"
)

// Version is libseccomp's, "2.5.4".
func Version() string {
	major, minor, micro := libseccomp.GetLibraryVersion()
	return fmt.Sprintf("%d.%d.%d", major, minor, micro)
}
