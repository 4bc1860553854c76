// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"strconv"
	"strings"
)

// SchedStat parses the text of /proc/PID/schedstat (sched-stats.rst): for how many
// nanoseconds the thread has run, and for how many it has waited for a CPU. ok is false if
// the kernel does not count them.
func SchedStat(text string) (ran, waited uint64, ok bool) {
	first, rest, _ := strings.Cut(text, " ")
	second, _, _ := strings.Cut(rest, " ")
	ran, err := strconv.ParseUint(first, 10, 64)
	if err != nil || ran == 0 {
		return 0, 0, false
	}
	waited, err = strconv.ParseUint(second, 10, 64)
	return ran, waited, err == nil
}
