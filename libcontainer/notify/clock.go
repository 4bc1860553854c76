// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys"
)

// clock is the offset of the container's CLOCK_MONOTONIC from the host's
// (time_namespaces(7)).
type clock struct {
	ahead int64 // microseconds
	known bool  // false if the process has ended
}

func clockOf(pid int) (c clock) {
	b, err := sys.ReadFile(sys.ProcPath(pid, "timens_offsets"))
	if errors.Is(err, fs.ErrNotExist) {
		_, err := os.Stat("/proc/self/timens_offsets")
		return clock{known: err != nil} // a kernel without time namespaces has no offsets
	}
	c.ahead, c.known = monotonicOffset(string(b))
	return c
}

// maxSeconds keeps the sum of two times, in microseconds, within an int64.
const maxSeconds = math.MaxInt64 / 2_000_000

// monotonicOffset returns the monotonic offset from a text with lines like "monotonic
// SECONDS NANOSECONDS".
func monotonicOffset(text string) (usec int64, ok bool) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "monotonic" {
			continue
		}
		s, err1 := strconv.ParseInt(f[1], 10, 64)
		ns, err2 := strconv.ParseInt(f[2], 10, 64)
		ok := err1 == nil && err2 == nil && s < maxSeconds && s > -maxSeconds
		if !ok {
			return 0, false
		}
		return s*1e6 + ns/1e3, true
	}
	return 0, false
}
