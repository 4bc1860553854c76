package libcontainer

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/store"
	"github.com/skiff-oci/skiff/libcontainer/sys"
)

// patience is how long a lock is waited for before the caller is told for whom.
const patience = time.Second

// await waits for the lock of dir, which somebody else holds.
func (c *Container) await(dir *store.Directory) error {
	t := time.AfterFunc(patience, c.tellHolder)
	defer t.Stop()
	return dir.Wait()
}

// tellHolder tells the caller whom the container's lock is waited for.
func (c *Container) tellHolder() {
	if note := c.host.Note; note != nil {
		note("waiting for %s, which is at work on container %s", holderName(c.entry), filepath.Base(c.entry.Path()))
	}
}

// holderName says who holds the lock of an entry.
func holderName(e *store.Entry) string {
	pid, err := e.Holder()
	if err != nil || pid == 0 {
		return "a process that /proc does not show"
	}
	return fmt.Sprintf("process %d (%s)", pid, sys.CommandLine(pid))
}
