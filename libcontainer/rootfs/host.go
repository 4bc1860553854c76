package rootfs

import (
	"os"

	"github.com/skiff-oci/skiff/libcontainer/sys"
)

// Host answers what has to be known of the host's files before anything is opened.
type Host struct {
	// Findable reports whether path leads to a file, through no magic link of
	// proc; with follow also where it is a symlink itself.
	Findable func(path string, follow bool) bool
	// Readlink gives the target of a symlink.
	Readlink func(path string) (string, error)
	// Exists reports whether there is a file of this name.
	Exists func(path string) bool
}

// TheHost is the host that the runtime is on.
var TheHost = Host{Findable: sys.Findable, Readlink: os.Readlink, Exists: exists}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
