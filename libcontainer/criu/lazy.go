// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"fmt"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"golang.org/x/sys/unix"
)

// servePipe is the size in bytes of the pipe through which CRIU's page server sends
// lazy pages: as many pages as a pipe's buffers can be (PIPE_MAX_SIZE in CRIU). If CRIU
// cannot set that size it serves nothing, and reports that only after the processes
// have been restored elsewhere.
const servePipe = 819 * 4096

// checkServe checks that this process may have such a pipe: a size above
// fs.pipe-max-size needs CAP_SYS_RESOURCE (pipe(7)).
func checkServe() error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	if _, err := unix.FcntlInt(uintptr(p[0]), unix.F_SETPIPE_SZ, servePipe); err != nil {
		err = fmt.Errorf("--lazy-pages: criu needs a pipe of %d bytes: %w", servePipe, err)
		return fault.Hint(err, "this requires CAP_SYS_RESOURCE or a larger fs.pipe-max-size")
	}
	return nil
}
