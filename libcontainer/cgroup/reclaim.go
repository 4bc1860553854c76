// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"golang.org/x/sys/unix"
)

// reclaimWait is how long makeRoom tries to free memory.
const reclaimWait = 2 * time.Second

// makeRoom frees memory until the usage is not above the new memory.max; otherwise the
// kernel would kill processes. It keeps the processes from using more (memory.high) and
// has the kernel reclaim memory (memory.reclaim, Linux 5.19). If the usage is still
// above the limit then, it returns an error, unless the update is forced. Call restore,
// which sets memory.high back, after writing memory.max.
func (u *update) makeRoom(d dir, max string) (restore func(), err error) {
	limit, err := strconv.ParseInt(max, 10, 64)
	if err != nil {
		return func() {}, nil // "max"
	}
	used, err := d.usage()
	if err != nil || used <= limit {
		return func() {}, err
	}
	restore = func() {}
	if high, err := d.read("memory.high"); err == nil && d.write("memory.high", max) == nil {
		restore = func() { _ = d.write("memory.high", high) }
	}
	if used, err = d.reclaim(limit, time.Now().Add(reclaimWait)); err == nil && used > limit && !u.force {
		err = fault.Hint(fmt.Errorf("%d bytes are in use, and the kernel cannot reclaim enough of them to get below %d", used, limit),
			"--force sets the limit anyway, and the kernel may then kill processes")
	}
	if err != nil {
		restore()
		restore = func() {}
	}
	return restore, err
}

func (d dir) usage() (int64, error) {
	s, err := d.read("memory.current")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s/memory.current: %w", d.path, err)
	}
	return n, nil
}

// reclaim frees memory down to limit, as far as possible until the deadline, and
// returns the usage.
func (d dir) reclaim(limit int64, deadline time.Time) (used int64, err error) {
	for {
		used, err = d.usage()
		if err != nil || used <= limit || time.Now().After(deadline) {
			return used, err
		}
		// EAGAIN: less memory was freed than requested. ENOENT: before Linux 5.19.
		err = d.write("memory.reclaim", strconv.FormatInt(used-limit, 10))
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ENOENT) {
			return used, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
