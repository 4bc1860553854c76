// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/store"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
)

// patience is how long to wait for a lock before the caller is told who holds it.
const patience = time.Second

// waitForLock waits for the lock of dir, which another process holds.
func (c *Container) waitForLock(dir *store.Directory) error {
	if trace.On() {
		trace.Say("%s holds the lock of %s, which is waited for", holderName(c.entry), c.entry.Path())
	}
	t := time.AfterFunc(patience, c.noteHolder)
	defer t.Stop()
	return dir.Wait()
}

// noteHolder tells the caller which process holds the container's lock.
func (c *Container) noteHolder() {
	if note := c.host.Note; note != nil {
		note("waiting for %s, which is working on container %s", holderName(c.entry), filepath.Base(c.entry.Path()))
	}
}

// holderName describes the process that holds the lock of an entry, for messages.
func holderName(e *store.Entry) string {
	pid, err := e.Holder()
	if err != nil || pid == 0 {
		return "a process that is not visible in /proc"
	}
	return fmt.Sprintf("process %d (%s)", pid, sys.CommandLine(pid))
}
