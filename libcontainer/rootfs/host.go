// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"os"

	"github.com/skiff-oci/skiff/libcontainer/sys"
)

// Host answers questions about the host's files before anything is opened.
type Host struct {
	// Findable reports whether path leads to a file without a magic link of proc
	// on the way. With follow, a symlink at path itself is followed.
	Findable func(path string, follow bool) bool
	// Readlink returns the target of a symlink.
	Readlink func(path string) (string, error)
	// Exists reports whether a file of that name exists.
	Exists func(path string) bool
}

// TheHost is the host that the runtime runs on.
var TheHost = Host{Findable: sys.Findable, Readlink: os.Readlink, Exists: exists}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
